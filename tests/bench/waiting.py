"""What a person waits for, measured for `make bench`: suite, watch and proof of every lab, comparison and status."""

import os
import resource
import shutil
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from bench.limits import Measured
from labkit.course import manifest
from labkit.course.manifest import ROOT, Lab
from labkit.student.events import SETTLED
from labkit.student.warm import Worker
from labkit.student.watch import TICK


def of_lab(lab: Lab) -> Iterator[Measured]:
    """What a lab's student and maintainer wait for: its suite, watch and the check of its proof."""
    yield from suite(lab)
    yield from watching(lab)
    seconds, _ = seconds_of(["-m", "labkit", "proof", lab.name, "--check"])
    yield Measured(f"{lab.name}, proof check: wall clock", seconds, "s", 90)


def suite(lab: Lab) -> list[Measured]:
    """The graded suite on the solution, and its slowest step."""
    graded = ["-m", "pytest", "-q", "--no-header", str(lab.paths.suite), "--impl", "solutions"]
    steps = {step.number: seconds_of([*graded, "--step", str(step.number)])[0] for step in lab.steps}
    slowest = max(steps, key=steps.__getitem__)
    return [
        Measured(f"{lab.name}, graded suite: wall clock", seconds_of(graded)[0], "s", 6),
        Measured(f"{lab.name}, graded suite, slowest step ({slowest}): wall clock", steps[slowest], "s", 6),
    ]


def watching(lab: Lab) -> list[Measured]:
    """`make watch` on the solution, warm: from a save to the verdict on each step, medians of five saves."""
    with solved_course() as root:
        worker = Worker(manifest.find(lab.stem, root))
        try:
            next(events(worker, "ready"))
            seconds = {step.number: statistics.median(verdicts(worker, step.number)) for step in lab.steps}
        finally:
            worker.close()
    return [
        Measured(f"{lab.name}, watch, step {step}: from save to verdict", each, "s", 2)
        for step, each in seconds.items()
    ]


def verdicts(worker: Worker, step: int) -> Iterator[float]:
    """Seconds to the verdict on `step`, of five saves; what watch waits before it begins is counted too."""
    for number in range(10 * step, 10 * step + 5):
        start = time.monotonic()
        worker.run(number, step)
        for event in events(worker, "end"):
            if event["run"] == number:
                break
        yield time.monotonic() - start + TICK + SETTLED


def events(worker: Worker, kind: str) -> Iterator[dict[str, Any]]:
    """The events of this kind, as they come."""
    while True:
        yield from (event for event in worker.events() if kind in event)


def comparison() -> list[Measured]:
    """Lab 04's `--compare`."""
    seconds, _ = seconds_of([str(manifest.find("mixed_precision").paths.solution), "--compare"])
    return [Measured("--compare: wall clock", seconds, "s", 60)]


def status() -> list[Measured]:
    """`make status` of all labs when nothing has changed since it last ran the tests."""
    with solved_course() as root:
        ask = ["-m", "labkit", "status"]
        seconds_of(ask, root)
        again = min(seconds_of(ask, root)[0] for _ in range(3))
    return [Measured("status, nothing changed: wall clock", again, "s", 0.3)]


@contextmanager
def solved_course() -> Iterator[Path]:
    """A copy of the course in which every student's file is the solution."""
    with TemporaryDirectory(prefix="labkit-bench-") as folder:
        root = Path(folder).resolve()
        for name in ("src", "labs", "tests", "docs"):
            left_out = ("course", "mistakes", "alternatives") if name == "tests" else ("*.egg-info",)
            shutil.copytree(ROOT / name, root / name, ignore=shutil.ignore_patterns("__pycache__", *left_out))
        for name in ("conftest.py", "pyproject.toml"):
            shutil.copy(ROOT / name, root)
        for lab in manifest.load_all():
            shutil.copy(lab.paths.solution, root / "src")
        yield root


def seconds_of(arguments: list[str], root: Path = ROOT) -> tuple[float, float]:
    """Wall-clock and CPU seconds of this Python run with these arguments in `root`, its children included."""
    environment = os.environ | {"PYTHONPATH": str(root / "src")}
    start, before = time.monotonic(), resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run([sys.executable, *arguments], cwd=root, env=environment, check=True, stdout=subprocess.DEVNULL)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return time.monotonic() - start, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
