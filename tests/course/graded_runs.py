"""Runs the graded suite as a person would, in processes forked from one that has imported everything.

`python graded_runs.py` reads one request a line from its input and answers each with one line: so a run costs what its
tests cost, not the seconds that importing torch takes.
"""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

ROOT = Path(__file__).resolve().parents[2]
SUITE = ROOT / "tests" / "test_mixed_precision.py"


@dataclass(frozen=True)
class Ran:
    """An ended run of pytest: its exit code, and everything that it printed."""

    code: int
    out: str

    @property
    def lines(self) -> list[str]:
        return self.out.splitlines()


class Grader:
    """Hands runs to the process that forks them."""

    def __init__(self, process: subprocess.Popen) -> None:
        self.process = process

    def __call__(self, *options: object, tests: tuple[str, ...] = (), timeout: float | None = None) -> Ran:
        """pytest on Lab 04's suite, or on some of its `tests`; `timeout` (s) stands in for the plugin's own."""
        suite = [f"{SUITE}::{test}" for test in tests] or [str(SUITE)]
        arguments = ["-q", "--no-header", "-p", "no:cacheprovider", "-p", "no:hypothesispytest", *suite, *map(str, options)]
        self.process.stdin.write(json.dumps({"arguments": arguments, "timeout": timeout}) + "\n")
        self.process.stdin.flush()
        return Ran(**json.loads(self.process.stdout.readline()))


@contextmanager
def grader() -> Iterator[Grader]:
    environment = os.environ | {
        "PYTHONPATH": str(ROOT / "src"),
        "OMP_NUM_THREADS": "1",
        "COLUMNS": "120",
        "NO_COLOR": "1",
        "PYTHONWARNINGS": "ignore::DeprecationWarning",  # of fork in a process that has threads
    }
    command = [sys.executable, __file__]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    with subprocess.Popen(command, cwd=ROOT, env=environment, **pipes) as process:
        try:
            yield Grader(process)
        finally:
            process.stdin.close()


def serve() -> None:
    import pytest

    from labkit import plugin
    from labkit.forked import run_forked

    with TemporaryDirectory(prefix="labkit-graded-runs-") as folder:
        scratch = Path(folder)
        for line in sys.stdin:
            request = json.loads(line)

            def job(_: int, request: dict = request) -> None:
                plugin.TIMEOUT = request["timeout"] or plugin.TIMEOUT
                code = pytest.main(request["arguments"])
                (scratch / "code").write_text(str(int(code)))

            (_, output), = run_forked(job, 1, scratch)
            code = int((scratch / "code").read_text())
            print(json.dumps({"code": code, "out": output}), flush=True)


if __name__ == "__main__":
    serve()
