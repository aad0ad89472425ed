"""`make new-lab`: the files of a lab that runs, with `[write: ...]` wherever a person has to say something."""

import subprocess
import sys
from pathlib import Path

import jinja2

from labkit.course import manifest
from labkit.course.consistency import stem_problem
from labkit.course.errors import LabError
from labkit.course.files import shown, write_whole
from labkit.course.handout import BEGIN, END, write_handout
from labkit.course.manifest import ROOT, Lab
from labkit.course.paths import Paths
from labkit.course.skeleton import write_skeletons

MOST_STEPS = 9
_TEMPLATES = jinja2.Environment(
    loader=jinja2.FileSystemLoader(Path(__file__).with_name("templates")),
    undefined=jinja2.StrictUndefined,
    keep_trailing_newline=True,
    autoescape=False,  # Python and Markdown, no HTML
)


def new_lab(number: int, stem: str, steps: int, root: Path = ROOT) -> list[str]:
    """Writes the lab's files; says which.

    Raises:
        LabError: the number or the stem is taken or not allowed, or a file is in the way; nothing was written then.
    """
    name = f"lab{number:02d}"
    paths = Paths(root, root / "labs" / f"{name}_{stem}", stem, root / "docs" / f"{number:02d}_{stem}.md")
    _check(number, stem, steps, paths)
    words = {
        "number": number,
        "name": name,
        "stem": stem,
        "title": stem.replace("_", " ").capitalize(),
        "reading": shown(paths.reading, root),
        "steps": range(1, steps + 1),
        "begin": BEGIN,
        "end": END,
    }
    files = _files(paths, steps)
    for path, (template, step) in files.items():
        path.parent.mkdir(parents=True, exist_ok=True)
        write_whole(path, _TEMPLATES.get_template(f"{template}.jinja").render(words, step=step).encode())
    lab = manifest.load(paths.manifest)
    made = [*write_skeletons(lab), *write_handout(lab)]
    said = [f"{shown(path, root)}: written" for path in files if path != paths.handout] + made
    return said + _prove(lab)


def _check(number: int, stem: str, steps: int, paths: Paths) -> None:
    if not 0 <= number <= 99:
        raise LabError(f"number {number} is not one of 0 to 99; choose another: NUMBER=9")
    if not 1 <= steps <= MOST_STEPS:
        raise LabError(f"a lab has 1 to {MOST_STEPS} steps, not {steps}: STEPS=3")
    if problem := stem_problem(stem):
        raise LabError(problem)
    for lab in manifest.load_all(paths.root):
        if lab.number == number:
            raise LabError(f"number {number} is taken by {lab.name}, {lab.title}; choose another")
        if lab.stem == stem:
            raise LabError(f"stem {stem!r} is taken by {lab.name}, {lab.title}; choose another")
    for path in (*_files(paths, steps), paths.student, paths.skeleton, paths.mistakes, paths.alternatives):
        if path.exists():
            raise LabError(f"{shown(path, paths.root)} is there already; move it away, or choose another stem")


def _files(paths: Paths, steps: int) -> dict[Path, tuple[str, int]]:
    """Each file with its template and the step that it is for (0 for all)."""
    files = {
        paths.manifest: ("lab.toml", 0),
        paths.solution: ("solution.py", 0),
        paths.scenarios: ("scenarios.py", 0),
        paths.suite: ("suite.py", 0),
        paths.reading: ("reading.md", 0),
        paths.handout: ("handout.md", 0),
    }
    for step in range(1, steps + 1):
        files[paths.mistakes / f"{step}_part" / f"part_{step}_gives_its_input.py"] = ("mistake.py", step)
        files[paths.alternatives / f"{step}_part" / f"part_{step}_adds_backwards.py"] = ("alternative.py", step)
    return files


def _prove(lab: Lab) -> list[str]:
    """Writes the pages that are made from a proof; in a process of its own, since a proof forks."""
    command = [sys.executable, "-m", "labkit", "proof", lab.name]
    ran = subprocess.run(command, cwd=lab.paths.root, capture_output=True, text=True)
    if ran.returncode:
        said = (ran.stdout + ran.stderr).strip().splitlines() or ["no output"]
        raise LabError(f"the files of {lab.name} are written, but make proof-{lab.name} fails: {said[-1]}")
    return [line for line in ran.stdout.splitlines() if line.startswith("written: ")]
