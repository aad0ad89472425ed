"""What a person waits for, measured for `make bench`: the graded suite, the comparison, watch and status."""

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

from labkit.course import manifest
from labkit.course.manifest import ROOT
from labkit.student.warm import Worker
from labkit.student.watch import SETTLED, TICK
from labkit.toolbox.limits import Measured


def suite() -> list[Measured]:
    """The graded suite on the solution, and its slowest step."""
    graded = ["-m", "pytest", "-q", "--no-header", "tests/test_mixed_precision.py", "--impl", "solutions"]
    importing = seconds_of(["-c", "import torch, torch._dynamo, torch.distributed.fsdp, pytest"])
    steps = {number: seconds_of([*graded, "--step", str(number)]) for number in range(1, 6)}
    four = seconds_of([*graded, "-m", "not many_ranks"])
    return [
        Measured("graded suite, steps 1 to 4: wall clock", four[0], "s", 15),
        Measured("graded suite, steps 1 to 4: CPU beyond the imports", four[1] - importing[1], "s", 4.5),
        Measured("graded suite, slowest of steps 1 to 4: wall clock", max(steps[n][0] for n in range(1, 5)), "s", 6),
        Measured("graded suite, step 5: wall clock", steps[5][0], "s", 20),
    ]


def comparison() -> list[Measured]:
    """The lab file's `--compare`."""
    seconds, _ = seconds_of(["solutions/mixed_precision.py", "--compare"])
    return [Measured("--compare: wall clock", seconds, "s", 60)]


def watching() -> list[Measured]:
    """`make watch-lab04` on the solution, warm: from a save to the verdict on the step, medians of five saves."""
    with solved_course() as root:
        lab = manifest.find("lab04", root)
        worker = Worker(lab, root)
        try:
            next(events(worker, "ready"))
            seconds = {step.number: statistics.median(verdicts(worker, step.number)) for step in lab.steps}
        finally:
            worker.close()
    slowest = max(range(1, 5), key=seconds.get)
    return [
        Measured(f"watch, slowest of steps 1 to 4 ({slowest}): from save to verdict", seconds[slowest], "s", 2),
        Measured("watch, step 5: from save to verdict", seconds[5], "s", 2),
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


def events(worker: Worker, kind: str) -> Iterator[dict]:
    """The events of this kind, as they come."""
    while True:
        yield from (event for event in worker.events() if kind in event)


def status() -> list[Measured]:
    """`make status` when nothing has changed since it last ran the tests."""
    with solved_course() as root:
        ask = ["-m", "labkit", "status"]
        seconds_of(ask, root)
        again = min(seconds_of(ask, root)[0] for _ in range(3))
    return [Measured("status, nothing changed: wall clock", again, "s", 1)]


@contextmanager
def solved_course() -> Iterator[Path]:
    """A copy of the course whose student's file is the solution."""
    with TemporaryDirectory(prefix="labkit-bench-") as folder:
        root = Path(folder).resolve()
        for name in ("src", "labs", "tests"):
            ignored = shutil.ignore_patterns("__pycache__", "course", "mistakes", "alternatives", "*.egg-info")
            shutil.copytree(ROOT / name, root / name, ignore=ignored)
        for name in ("conftest.py", "pyproject.toml"):
            shutil.copy(ROOT / name, root)
        shutil.copy(ROOT / "solutions" / "mixed_precision.py", root / "src")
        yield root


def seconds_of(arguments: list[str], root: Path = ROOT) -> tuple[float, float]:
    """Wall-clock and CPU seconds of this Python run with these arguments in `root`, its children included."""
    environment = os.environ | {"PYTHONPATH": str(root / "src")}
    start, before = time.monotonic(), resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run([sys.executable, *arguments], cwd=root, env=environment, check=True, stdout=subprocess.DEVNULL)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return time.monotonic() - start, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
