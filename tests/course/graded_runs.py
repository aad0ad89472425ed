"""Runs graded suites, by default Lab 04's, as a person would, in processes forked from one that has imported all.

`python graded_runs.py` reads a request a line and answers each with a line: so a run costs what its tests cost, and not
the seconds that importing torch takes.
"""

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from page_checks import ENVIRONMENT, ROOT

SUITE = ROOT / "tests" / "test_mixed_precision.py"
OPTIONS = (
    "-q", "--no-header", "-p", "no:cacheprovider", "-p", "no:hypothesispytest",  # the last two only cost time
    "-W", "ignore::pytest.PytestAssertRewriteWarning",  # the plugin was imported before pytest could rewrite it
)  # fmt: skip


@dataclass(frozen=True)
class Ran:
    """An ended run of pytest: its exit code, and everything that it printed."""

    code: int
    out: str

    @property
    def errors(self) -> list[str]:
        """The lines that pytest prints for an error of usage."""
        return [line.removeprefix("ERROR: ") for line in self.out.splitlines() if line.startswith("ERROR: ")]


class Grader:
    """Hands requests to the process that forks the runs."""

    def __init__(self, process: subprocess.Popen) -> None:
        self.process = process

    def __call__(
        self,
        *options: object,
        suite: Path = SUITE,
        tests: tuple[str, ...] = (),
        timeout: float | None = None,
        loading: float | None = None,
    ) -> Ran:
        """pytest with `options` on a suite, or on some of its `tests`.

        `timeout` (s) replaces the lab's limits of a test, `loading` (s) that of importing a lab file.
        """
        chosen = [f"{suite}::{test}" for test in tests] or [str(suite)]
        request = {"arguments": [*OPTIONS, *chosen, *map(str, options)], "timeout": timeout, "loading": loading}
        self.process.stdin.write(json.dumps(request) + "\n")
        self.process.stdin.flush()
        return Ran(**json.loads(self.process.stdout.readline()))


@contextmanager
def grader() -> Iterator[Grader]:
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    with subprocess.Popen([sys.executable, __file__], cwd=ROOT, env=ENVIRONMENT, **pipes) as process:
        try:
            yield Grader(process)
        finally:
            process.stdin.close()


def serve() -> None:
    import pytest

    from labkit.course.manifest import Lab
    from labkit.judge import graded
    from labkit.observe.child import run_forked
    from labkit.observe.ranks import import_for_ranks

    import_for_ranks()  # torch imports it late: with the first optimizer, with the first sharded layer
    with TemporaryDirectory(prefix="labkit-graded-runs-") as folder:
        scratch = Path(folder)
        for line in sys.stdin:
            request = json.loads(line)

            def run_pytest(_: int, request: dict = request) -> None:
                if request["timeout"]:
                    Lab.seconds_for = lambda lab, behaviour: request["timeout"]
                if request["loading"]:
                    graded.LOADING = request["loading"]
                (scratch / "code").write_text(str(int(pytest.main(request["arguments"]))))

            (scratch / "code").write_text("-1")  # of a child that dies before it can say its own
            ((_, output),) = run_forked(run_pytest, 1, scratch)
            code = int((scratch / "code").read_text())
            sys.stdout.write(json.dumps({"code": code, "out": output}) + "\n")
            sys.stdout.flush()


if __name__ == "__main__":
    serve()
