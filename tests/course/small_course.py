"""A course of one small lab in a folder of its own, with this repository's labkit: its commands are quick."""

import os
import shutil
from dataclasses import dataclass
from pathlib import Path

from commandline import Finished
from page_checks import ROOT
from warm_python import ENVIRONMENT, python

from labkit.course import manifest
from labkit.course.manifest import Lab

MANIFEST = """\
number = 7
title = "Tiny"
stem = "tiny"
reading = "docs/07_tiny.md"
goal = "Be small."

[[steps]]
number = 1
title = "Doubling"
minutes = 5
read = "doubling"
hints = ["What is twice a number?", "A sum of two equal terms.", "`x + x`"]
[steps.todo]
double = "add x to itself"

[[steps]]
number = 2
title = "Halving"
minutes = 10
read = "halving"
hints = ["What undoes doubling?", "A division.", "`x / 2`"]
[steps.todo]
halve = "divide by two"

[[behaviours]]
id = "test_double_is_twice"
step = 1
points = 3
read = "doubling"
why = "Twice is the least that doubling can mean."

[[behaviours]]
id = "test_halve_is_half"
step = 2
points = 4
read = "halving"
why = "Halves add up."
"""

STUBS = '''\
"""Lab 07."""


def double(x):
    # TODO: add x to itself
    raise NotImplementedError("Step 1: double")


def halve(x):
    # TODO: divide by two
    raise NotImplementedError("Step 2: halve")
'''
ONE_STEP = STUBS.replace('raise NotImplementedError("Step 1: double")', "return x + x")
BOTH_STEPS = ONE_STEP.replace('raise NotImplementedError("Step 2: halve")', "return x / 2")
WRONG = STUBS.replace('raise NotImplementedError("Step 1: double")', 'print("squared", 4)\n    return x * x')

FILES = {
    "labs/lab07_tiny/lab.toml": MANIFEST,
    "labs/lab07_tiny/skeleton.py": STUBS,
    "labs/lab07_tiny/README.md": "# Lab 07\n",
    "docs/07_tiny.md": "# Tiny\n\n## Doubling\n\nTwice x is x + x.\n\n## Halving\n\nHalf.\n",
    "src/tiny.py": STUBS,
    "tests/scenarios/tiny.py": '''\
"""What the suite of Lab 07 makes the code under test do."""


def doubled(lab, x):
    """What double makes of `x`."""
    return lab.double(x)


def halved(lab, x):
    """What halve makes of `x`."""
    return lab.halve(x)
''',
    "tests/test_tiny.py": '''\
"""The graded suite of Lab 07."""

from labkit.judge.expect import Tolerance, expect
from scenarios import tiny as lab07

EXACT = Tolerance("only the exponent moves", atol=0.0)


def test_double_is_twice(observe, draw):
    """double(x) is x + x."""
    x = draw.normal(4)
    expect(observe(lab07.doubled, x=x), "double(x)").close_to(2 * x, EXACT, why="add x to itself")


def test_halve_is_half(observe, draw):
    """halve(x) is half of x."""
    x = draw.normal(4)
    why = f"divide {x.numel()} numbers by two"
    expect(observe(lab07.halved, x=x), "halve(x)").close_to(x / 2, EXACT, why=why)
''',
}


@dataclass(frozen=True)
class Course:
    """The copy: `file` is the student's."""

    root: Path

    @property
    def file(self) -> Path:
        return self.root / "src" / "tiny.py"

    @property
    def lab(self) -> Lab:
        return manifest.find("lab07", self.root)

    def environment(self, **more: str) -> dict[str, str]:
        return ENVIRONMENT | {"PYTHONPATH": str(self.root / "src"), "COLUMNS": "80"} | more

    def run(self, *arguments: str, **environment: str) -> Finished:
        """`python ARGUMENTS` in the copy."""
        return python(*arguments, cwd=self.root, environment=self.environment(**environment))

    def labkit(self, *arguments: str, **environment: str) -> Finished:
        """`python -m labkit ARGUMENTS`, which fails where torch is imported, unless TORCH=yes."""
        if environment.pop("TORCH", "") == "yes":
            return self.run("-m", "labkit", *arguments, **environment)
        lean = "import sys; sys.modules['torch'] = None; import labkit.__main__ as main; main.main()"
        return self.run("-c", lean, *arguments, **environment)


def small_course(folder: Path) -> Course:
    """A new copy in `folder`."""
    ignored = shutil.ignore_patterns("__pycache__")
    shutil.copytree(ROOT / "src" / "labkit", folder / "src" / "labkit", ignore=ignored)
    for name in ("conftest.py", "pyproject.toml"):
        shutil.copy(ROOT / name, folder / name)
    for name, text in FILES.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    return Course(Path(os.path.realpath(folder)))
