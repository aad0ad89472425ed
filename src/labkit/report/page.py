"""`make report-lab04`: one page of how an implementation stands, what it measures, and on what machine."""

import itertools
import os
import platform
from collections.abc import Callable, Collection
from datetime import datetime
from pathlib import Path
from typing import Any

from labkit.course.errors import LabError
from labkit.course.files import check_writable, make_folder, shown, write_whole
from labkit.course.loading import implementation_path
from labkit.course.manifest import ROOT, Lab, Step
from labkit.course.records import Record
from labkit.judge.summary import diagnosis_of, next_record, next_thing
from labkit.report import parts as measuring
from labkit.report.parts import Kind, Measured, Part
from labkit.report.rows import Row, environment, step_rows
from labkit.student.apart import graded_apart, why_it_did_not_run

TEMPLATE = "page.html.jinja"


def write_report(
    lab: Lab, impl: str, folder: Path, only: Collection[str] = (), say: Callable[[str], object] = print
) -> Path:
    """Grades, measures and writes the page to `folder`; gives its path: lab04.html, or lab04-FOLDER.html of `impl`.

    A file with stubs or failures has its page: what needs a step that does not pass is left out, or measured with the
    reference solution, and the page says so. Of a file that cannot be loaded there is nothing to report: that is one
    line, and a page that was made before stays as it is.

    Args:
        only: names of the lab's parts; all by default.
        say: is told what happens; all of it takes some minutes.

    Raises:
        LabError: the implementation is not there or cannot be loaded, a name is unknown, or `folder` cannot be written.
    """
    file = implementation_path(impl, lab.stem, ROOT)
    parts, failure = _parts(lab, only)
    path = folder / (f"{lab.name}.html" if file == lab.paths.student else f"{lab.name}-{file.parent.name}.html")
    make_folder(folder, "--out")
    check_writable(path, "--out")
    say(f"testing {shown(file, ROOT)}{', then measuring: some minutes in all' if parts else ''}")
    records = graded(lab, file)
    if failure:
        say(failure)
    found = []
    for number, part in enumerate(parts, start=1):
        say(f"measuring {part.name} ({number} of {len(parts)})")
        found.append(measured(lab, file, records, part))
    write_whole(path, page(lab, file, records, found, folder, failure).encode())
    return path


def _parts(lab: Lab, only: Collection[str]) -> tuple[list[Part], str]:
    """The parts that were asked for; or none, and why the lab's own code cannot say which there are."""
    try:
        parts = measuring.declared(lab)
    except LabError as error:
        return [], " ".join(str(error).split())
    names = [part.name for part in parts]
    unknown = [name for name in only if name not in names]
    if unknown:
        raise LabError(f"--only {unknown[0]}: there is no such part; there is {', '.join(names) or 'none'}")
    return [part for part in parts if part.name in only or not only], ""


def graded(lab: Lab, file: Path) -> list[Record]:
    """The verdicts of the whole suite on the file, from a process of its own.

    Raises:
        LabError: there are none, since the file cannot be loaded, or ended Python.
    """
    ran = graded_apart(lab, "--impl", str(file.parent))
    if len(ran.records) < len(lab.behaviours):
        raise LabError(f"no report: {why_it_did_not_run(lab, ran.output, ran.code)}")
    return ran.records


def measured(lab: Lab, file: Path, records: list[Record], part: Part) -> Measured:
    """The part; a figure comes from the reference solution where the file is not far enough for it."""
    rows = [row for row in step_rows(lab, records) if row.step.number in part.needs and not row.passed]
    packages = sorted({record.needs for row in rows for record in row.records if record.state == "skipped"})
    if packages:
        return Measured(part, None, f"needs {', '.join(packages)}, not installed here")
    missing = [row.step for row in rows]
    if missing:
        data, problem = None, _needs(missing)
    else:
        data, why = measuring.ask(lab, part.name, file)
        problem = f"could not be measured: {why}"
    if data or part.kind != Kind.FIGURE:
        return Measured(part, data, _used(file, part.needs) if data else problem)
    reference = lab.paths.solution
    if reference != file and reference.is_file():
        data, _ = measuring.ask(lab, part.name, reference)
    note = f"with the reference solution (with {shown(file, ROOT)} it {problem})"
    return Measured(part, data, note if data else problem)


def _used(file: Path, needed: tuple[int, ...]) -> str:
    return f"with {shown(file, ROOT)}" if needed else "with PyTorch alone, without the lab's code"


def _needs(steps: list[Step]) -> str:
    """In words that follow "it": "needs step 2 (Loss scaling)"."""
    named = [f"step {step.number} ({step.title})" for step in steps]
    return f"needs {' and '.join(filter(None, (', '.join(named[:-1]), named[-1])))}"


def page(lab: Lab, file: Path, records: list[Record], found: list[Measured], folder: Path, failure: str = "") -> str:
    """The page, for the `folder`, as HTML; whatever comes from the code under test is text in it, never markup.

    `failure` is why there are no parts.
    """
    following = next_record(records)
    root = Path(os.path.relpath(ROOT, folder.resolve())).as_posix()
    template = environment().get_template(TEMPLATE)
    return template.render(
        lab=lab,
        file=shown(file, ROOT),
        root=root,
        steps=step_rows(lab, records),
        all=Row(records),
        next=next_thing(lab, following, shown(file, ROOT)) if following else "",
        diagnosis=diagnosis_of(lab, records),
        failure=failure,
        sections=_sections(found),
        machine=_machine(),
        made=f"{datetime.now():%Y-%m-%d %H:%M}",
    )


def _sections(found: list[Measured]) -> list[dict[str, Any]]:
    """The sections of the page, each with its parts: neighbours with one title share one, as figures do."""
    grouped = itertools.groupby(found, key=lambda one: one.part.title)
    return [{"id": title.lower().replace(" ", "-"), "title": title, "parts": list(parts)} for title, parts in grouped]


def _machine() -> dict[str, str]:
    """The machine and the versions, under the names that the page gives them."""
    from labkit.toolbox.measure import hardware  # imports torch: a file that cannot be loaded is told without

    found = hardware()
    return {
        "Processor": f"{found['cpu']}, {found['cores']} cores, {found['threads']} of them used by torch",
        "GPU": f"{found['gpu']}, tf32 {'on' if found['tf32'] else 'off'}" if found["gpu"] else "none",
        "System": platform.platform(),
        "PyTorch": str(found["torch"]),
        "Python": str(found["python"]),
    }
