"""`make report-lab04`: one page of how an implementation stands, what it measures, and on what machine."""

import os
import platform
from collections.abc import Callable, Collection
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import jinja2

from labkit.course.errors import LabError
from labkit.course.files import check_writable, make_folder, shown, write_whole
from labkit.course.loading import implementation_path
from labkit.course.manifest import ROOT, Lab, Step
from labkit.course.records import LOST, Record
from labkit.judge.summary import diagnosis_of, next_record, next_thing, states
from labkit.report import parts as measuring
from labkit.report.parts import Part
from labkit.student.apart import graded_apart, why_it_did_not_run

TEMPLATE = "page.html.jinja"


@dataclass(frozen=True)
class StepRow:
    """A step as the page shows it."""

    step: Step
    records: list[Record]

    @property
    def earned(self) -> int:
        return sum(record.earned for record in self.records)

    @property
    def worth(self) -> int:
        return sum(record.points for record in self.records)

    @property
    def states(self) -> str:
        return states(self.records)

    @property
    def lost(self) -> list[Record]:
        return [record for record in self.records if record.state in LOST]

    @property
    def passed(self) -> bool:
        return all(record.state == "passed" for record in self.records)


def write_report(
    lab: Lab, impl: str, folder: Path, only: Collection[str] = (), say: Callable[[str], object] = print
) -> Path:
    """Grades, measures and writes the page to `folder`; gives its path: lab04.html, or lab04-FOLDER.html of `impl`.

    A file with stubs or failures has its page: what needs a step that does not pass is left out, or measured with the
    reference solution, and the page says so. Of a file that cannot be loaded there is nothing to report: that is one
    line, and a page that was made before stays as it is.

    Args:
        only: names of the lab's parts; what is measured, by default all.
        say: is told what happens; all of it takes some minutes.

    Raises:
        LabError: the implementation is not there or cannot be loaded, a name is unknown, or `folder` cannot be written.
    """
    file = implementation_path(impl, lab.stem, ROOT)
    names = _asked(lab, only)
    path = folder / (f"{lab.name}.html" if file.parent == ROOT / "src" else f"{lab.name}-{file.parent.name}.html")
    make_folder(folder, "--out")
    check_writable(path, "--out")
    say(f"testing {shown(file, ROOT)}")
    records = graded(lab, file)
    parts = []
    for number, name in enumerate(names, start=1):
        say(f"measuring {name} ({number} of {len(names)})")
        parts.append(measured(lab, file, records, name))
    write_whole(path, page(lab, file, records, parts, folder).encode())
    return path


def _asked(lab: Lab, only: Collection[str]) -> list[str]:
    names = list(measuring.needed(lab))
    unknown = [name for name in only if name not in names]
    if unknown:
        raise LabError(f"--only {unknown[0]}: there is no such part; there is {', '.join(names) or 'none'}")
    return [name for name in names if name in only or not only]


def graded(lab: Lab, file: Path) -> list[Record]:
    """The verdicts of the whole suite on the file, from a process of its own.

    Raises:
        LabError: there are none, since the file cannot be loaded, or ended Python.
    """
    ran = graded_apart(lab, ROOT, "--impl", str(file.parent))
    if len(ran.records) < len(lab.behaviours):
        raise LabError(f"no report: {why_it_did_not_run(ran.output, ran.code)}")
    return ran.records


def measured(lab: Lab, file: Path, records: list[Record], name: str) -> Part:
    """The part `name`; a figure comes from the reference solution where the file is not far enough for it."""
    needed = measuring.needed(lab)[name]
    missing = [row.step for row in _rows(lab, records) if row.step.number in needed and not row.passed]
    if missing:
        data, problem = None, _needs(missing)
    else:
        data, why = measuring.ask(name, file)
        problem = f"could not be measured: {why}"
    if data or name in ("banner", "comparison"):
        return Part(name, data, _used(file, needed) if data else problem)
    try:
        reference = implementation_path("solutions", lab.stem, ROOT)
    except LabError:
        return Part(name, None, problem)
    if reference != file:
        data, _ = measuring.ask(name, reference)
    return Part(name, data, f"with the reference solution (with {shown(file, ROOT)} it {problem})" if data else problem)


def _used(file: Path, needed: tuple[int, ...]) -> str:
    return f"with {shown(file, ROOT)}" if needed else "with PyTorch alone, without the lab's code"


def _needs(steps: list[Step]) -> str:
    """In words that follow "it": "needs step 2 (Loss scaling)"."""
    named = [f"step {step.number} ({step.title})" for step in steps]
    return f"needs {' and '.join(filter(None, (', '.join(named[:-1]), named[-1])))}"


def _rows(lab: Lab, records: list[Record]) -> list[StepRow]:
    return [StepRow(step, [record for record in records if record.step == step.number]) for step in lab.steps]


def page(lab: Lab, file: Path, records: list[Record], parts: list[Part], folder: Path) -> str:
    """The page, to stand in `folder`, as HTML; whatever comes from the code under test is text in it, never markup."""
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(Path(__file__).parent),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    following = next_record(records)
    root = Path(os.path.relpath(ROOT, folder.resolve())).as_posix()
    return environment.get_template(TEMPLATE).render(
        lab=lab,
        file=shown(file, ROOT),
        root=root,
        steps=_rows(lab, records),
        earned=sum(record.earned for record in records),
        next=next_thing(lab, following, shown(file, ROOT)) if following else "",
        diagnosis=diagnosis_of(lab, records),
        parts={part.name: part for part in parts},
        figures=[part for part in parts if part.name not in ("banner", "comparison")],
        machine=_machine(),
        made=f"{datetime.now():%Y-%m-%d %H:%M}",
    )


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
