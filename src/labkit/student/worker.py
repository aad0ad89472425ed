"""The warm process behind `make watch-lab04`: it has imported torch, and forks a child for every run of the suite.

It reads a request a line (`{"run": 3, "step": 2}`, step 0 for all; `{"stop": 3}`) and writes an event a line: ready,
then of each run its tests as they start, their records, and the end. A new request ends the run before it. This process
only imports: threads that it had started would hang its children.
"""

import contextlib
import faulthandler
import gc
import json
import os
import select
import signal
import sys
import time
import traceback
from collections.abc import Callable, Iterator
from dataclasses import asdict
from pathlib import Path
from tempfile import TemporaryDirectory

from labkit.course import manifest
from labkit.course.loading import line_in_stack
from labkit.course.manifest import Lab
from labkit.course.processes import kill_group
from labkit.judge import progress
from labkit.judge.suite import import_once, run_suite

GRACE = 3.0  # seconds for a child to say where it hangs, at most


def serve(lab: Lab) -> None:
    """Answers requests until its input ends, and leaves no child behind."""
    import_once()
    if any(step.ranks > 1 for step in lab.steps):
        import torch.distributed.fsdp  # noqa: F401  (what the server of ranks imports)
    progress.machinery(manifest.ROOT)  # of the code imported just now: a labkit that is edited later is not what ran
    gc.freeze()  # a child's garbage collector need not walk through all of torch
    with TemporaryDirectory(prefix="worker-") as folder:
        children = _Children(lab, Path(folder))
        try:
            _say({"ready": True})
            for request in _requests(children.poll):
                if "run" in request:
                    children.start(request["run"], request["step"])
                else:
                    children.stop(ask_where=True)
        finally:
            children.stop()


class _Children:
    """The one child that runs, if any."""

    def __init__(self, lab: Lab, folder: Path) -> None:
        self.lab = lab
        self.output, self.stack = folder / "output", folder / "stack"
        self.pid, self.run = 0, 0

    def start(self, run: int, step: int) -> None:
        self.stop()
        self.run, self.pid = run, os.fork()
        if not self.pid:
            self._be_the_child(run, step)
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.setpgid(self.pid, self.pid)  # here as well as there: whichever comes first

    def poll(self) -> bool:
        """Whether a child still runs; says so once when it has ended."""
        if self.pid:
            pid, status = os.waitpid(self.pid, os.WNOHANG)
            if pid:
                self._ended(os.waitstatus_to_exitcode(status))
        return bool(self.pid)

    def stop(self, ask_where: bool = False) -> None:
        """Ends the child and whatever it started, now; `ask_where`: after it has written down where it is."""
        if not self.pid:
            return
        if ask_where:
            os.kill(self.pid, signal.SIGUSR1)
            self._wait_for_stack()
        kill_group(self.pid)
        os.waitpid(self.pid, 0)
        self._ended(None)

    def _wait_for_stack(self) -> None:
        """Until the child has written where in the student's file it is."""
        file, end = self.lab.paths.student.resolve(), time.monotonic() + GRACE
        while time.monotonic() < end and not line_in_stack(file, _read(self.stack)):
            time.sleep(0.05)

    def _ended(self, code: int | None) -> None:
        kill_group(self.pid)  # what the run left behind
        self.pid = 0
        text = {"output": _read(self.output)[-4000:], "stack": _read(self.stack)}
        _say({"run": self.run, "end": code, **text})

    def _be_the_child(self, run: int, step: int) -> None:
        """Never returns: runs pytest with its input empty, its output in a file, and ends."""
        code = 1
        try:
            os.setpgid(0, 0)
            events = os.dup(1)
            output = os.open(self.output, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
            for source, target in ((os.open(os.devnull, os.O_RDONLY), 0), (output, 1), (output, 2)):
                os.dup2(source, target)
            with open(self.stack, "w") as stack:
                faulthandler.register(signal.SIGUSR1, file=stack, all_threads=False)
                code = run_suite(self.lab, ["--step", str(step)] if step else [], plugins=[_Events(run, events)])
        except BaseException:
            traceback.print_exc()
        finally:
            sys.stdout.flush()
            sys.stderr.flush()
            os._exit(code)


class _Events:
    """A pytest plugin that says what happens while it happens."""

    def __init__(self, run: int, descriptor: int) -> None:
        self.run, self.descriptor, self.said = run, descriptor, 0

    def pytest_configure(self, config: object) -> None:
        self.suite = config.pluginmanager.get_plugin("graded-suite").suite

    def pytest_runtest_logstart(self, nodeid: str) -> None:
        self._say({"start": nodeid.rpartition("::")[2]})

    def pytest_runtest_logreport(self) -> None:
        for record in self.suite.records[self.said :]:
            self._say({"record": asdict(record)})
        self.said = len(self.suite.records)

    def _say(self, event: dict) -> None:
        _say({"run": self.run, **event}, self.descriptor)


def _say(event: dict, descriptor: int = 1) -> None:
    """One line. It begins with a line break too: the one before may have been cut short when its writer was killed."""
    data = f"\n{json.dumps(event)}\n".encode()
    while data:
        data = data[os.write(descriptor, data) :]


def _requests(busy: Callable[[], bool]) -> Iterator[dict]:
    """Requests as they come, until the input ends; `busy` is asked while there is none, often while it says yes."""
    waiting = b""
    while True:
        if not select.select([0], [], [], 0.01 if busy() else None)[0]:
            continue
        data = os.read(0, 65536)
        if not data:
            return
        *lines, waiting = (waiting + data).split(b"\n")
        for line in lines:
            yield json.loads(line)


def _read(path: Path) -> str:
    return path.read_text(errors="replace") if path.exists() else ""


if __name__ == "__main__":
    serve(manifest.find(sys.argv[1]))
