"""The warm process behind `make watch-lab04`: it has imported torch, and forks a child for every run of the suite.

It reads a request a line (`{"run": 3, "step": 2}`, step 0 for all; `{"stop": 3}`) and writes an event a line: ready,
then of each run its tests as they start, their records, and the end. A new request ends the run before it. This process
only imports: threads that it had started would hang its children.
"""

import gc
import json
import os
import select
import sys
from collections.abc import Callable, Iterator
from dataclasses import asdict
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from labkit.course import manifest
from labkit.course.manifest import Lab
from labkit.judge import progress
from labkit.judge.suite import import_once, run_suite
from labkit.observe.child import Child, Setting


def serve(lab: Lab) -> None:
    """Answers requests until its input ends, and leaves no child behind."""
    import_once(lab)
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
        self.stack = folder / "stack"
        self.setting = Setting(folder / "output", self.stack)
        self.child: Child | None = None
        self.run = 0

    def start(self, run: int, step: int) -> None:
        self.stop()
        self.stack.unlink(missing_ok=True)
        self.run, events = run, os.dup(1)
        try:
            self.child = Child.fork(lambda: self._job(run, step, events), self.setting)
        finally:
            os.close(events)

    def poll(self) -> bool:
        """Whether a child still runs; says so once when it has ended."""
        if self.child is not None and not self.child.poll():
            self._ended(self.child, self.child.code)
        return self.child is not None

    def stop(self, ask_where: bool = False) -> None:
        """Ends the child and whatever it started, now; `ask_where`: after it has written down where it is."""
        if self.child is None:
            return
        if ask_where:  # the tests run in a child of the child, which does on the signal what it has inherited
            self.child.where(self.lab.paths.student.resolve(), below=True)
        self.child.kill()
        self._ended(self.child, None)

    def _job(self, run: int, step: int, events: int) -> int:
        return run_suite(self.lab, ["--step", str(step)] if step else [], plugins=[_Events(run, events)])

    def _ended(self, child: Child, code: int | None) -> None:
        self.child = None
        _say({"run": self.run, "end": code, "output": child.output[-4000:], "stack": child.stack})


class _Events:
    """A pytest plugin that says what happens while it happens."""

    def __init__(self, run: int, descriptor: int) -> None:
        self.run, self.descriptor, self.said = run, descriptor, 0

    def pytest_configure(self, config: Any) -> None:
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


if __name__ == "__main__":
    serve(manifest.find(sys.argv[1]))
