"""Runs a lab file's command line inside the test process, as a person would run it, and keeps what it printed."""

import contextlib
import io
from collections.abc import Callable
from dataclasses import dataclass
from types import ModuleType

from labkit.course.loading import load_implementation
from labkit.course.manifest import ROOT
from labkit.labs.mixed_precision import commands

SOLUTION = ROOT / "solutions" / "mixed_precision.py"


@dataclass(frozen=True)
class Finished:
    """An ended command: its exit code and what it wrote."""

    code: int
    out: str
    err: str


def solution() -> ModuleType:
    return load_implementation(SOLUTION)


def run(lab: ModuleType, *args: object, main: Callable[[ModuleType, list[str]], None] = commands.main) -> Finished:
    """Ends the command line `main` of the lab's kit, by default that of Lab 04."""
    out, err, code = io.StringIO(), io.StringIO(), 0
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        try:
            main(lab, [str(arg) for arg in args])
        except SystemExit as error:
            code = error.code
    return Finished(code, out.getvalue(), err.getvalue())


def refused(finished: Finished) -> str:
    """The one line that a refused command wrote; fails unless it is one line and nothing else was printed."""
    assert finished.code != 0
    assert finished.out == ""
    assert finished.err.count("\n") == 1 and "Traceback" not in finished.err
    return finished.err
