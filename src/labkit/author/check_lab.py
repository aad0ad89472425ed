"""`make check-lab04`: all that a lab must keep, in about a minute: manifest, files, pages, shown runs, proof, style."""

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from labkit.course.consistency import missing_files
from labkit.course.files import shown
from labkit.course.handout import BEGIN, END
from labkit.course.manifest import Lab

TESTS = ("manifest", "skeleton", "handout", "hints", "pages", "proof")  # those of tests/course that look at labs
TAIL = 60  # lines of what a failed check printed
PLACEHOLDER = re.compile(r"\[write: ([^\]\n]+)\]")


@dataclass(frozen=True)
class Checked:
    """What the check of a lab found: a line for each thing left to write, and the words of each check that failed."""

    left: list[str]
    wrong: list[str]


def check(lab: Lab) -> Checked:
    """Runs every check; where files are missing only that is reported, for the others would stumble over it."""
    left = [f"left to write: {line}" for line in placeholders(lab)]
    if missing := missing_files(lab):
        return Checked(left, missing)
    return Checked(left, [words for words in (*_style(lab), _tests(lab), _proof(lab)) if words])


def placeholders(lab: Lab) -> Iterator[str]:
    """Every `[write: ...]` in what people write of the lab; what is made from it is left out."""
    paths, root = lab.paths, lab.paths.root
    for path in [paths.manifest, paths.handout, paths.reading, *_code(lab)]:
        if path in (paths.student, paths.skeleton) or not path.is_file():
            continue
        text = path.read_text(encoding="utf-8")
        made = range(text.find(BEGIN), text.find(END)) if path == paths.handout else range(0)
        for found in PLACEHOLDER.finditer(text):
            if found.start() not in made:
                line = text.count("\n", 0, found.start()) + 1
                yield f"{shown(path, root)}:{line}: {found[1]}"
    handout = shown(paths.handout, root)
    if handout not in (root / "README.md").read_text(encoding="utf-8"):
        yield f"README.md: a line that links to {handout}"


def _code(lab: Lab) -> list[Path]:
    paths = lab.paths
    banks = [path for folder in (paths.mistakes, paths.alternatives) for path in sorted(folder.rglob("*.py"))]
    kit = sorted(paths.kit.rglob("*.py"))
    return [paths.solution, paths.skeleton, paths.student, *paths.graded_by(), *banks, *kit]


def _style(lab: Lab) -> Iterator[str]:
    files = [str(path) for path in _code(lab) if path.is_file()]
    for command in (["format", "--check"], ["check", "--quiet"]):
        yield _failure([sys.executable, "-m", "ruff", *command, *files], lab.paths.root)


def _tests(lab: Lab) -> str:
    files = [f"tests/course/test_{name}.py" for name in TESTS]
    options = ["-q", "--no-header", "--tb=short", "-p", "no:cacheprovider"]
    chosen = ["-k", f"({lab.name} or {lab.paths.reading.stem}) and not proven"]
    return _failure([sys.executable, "-m", "pytest", *options, *chosen, *files], lab.paths.root)


def _proof(lab: Lab) -> str:
    return _failure([sys.executable, "-m", "labkit", "proof", lab.name, "--check"], lab.paths.root)


def _failure(command: list[str], root: Path) -> str:
    """The last of what the command printed if it failed; "" if it did not."""
    environment = os.environ | {"PYTHONPATH": str(root / "src")}
    ran = subprocess.run(command, cwd=root, env=environment, capture_output=True, text=True)
    return "\n".join((ran.stdout + ran.stderr).strip().splitlines()[-TAIL:]) if ran.returncode else ""
