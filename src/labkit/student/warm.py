"""The watching side's handle on the warm worker: asks it for runs, and hands out what it says."""

import json
import os
import subprocess
import sys
from contextlib import suppress
from tempfile import TemporaryDirectory, TemporaryFile

from labkit.course.errors import LabError
from labkit.course.manifest import Lab


class Worker:
    """A worker process of its own session, so that Ctrl-C in the terminal reaches only the watcher."""

    def __init__(self, lab: Lab) -> None:
        root = lab.paths.root
        environment = {"OMP_NUM_THREADS": "1"} | os.environ | {"NO_COLOR": "1", "PYTHONUNBUFFERED": "1"}
        environment["PYTHONPATH"] = os.pathsep.join(filter(None, [str(root / "src"), os.environ.get("PYTHONPATH")]))
        environment["PYTHONWARNINGS"] = "ignore::DeprecationWarning"  # of fork in a process that has threads
        self.folder = TemporaryDirectory(prefix="labkit-watch-", ignore_cleanup_errors=True)
        environment["TMPDIR"] = self.folder.name  # a run that is ended at once clears nothing away
        self.ready = False
        self.errors = TemporaryFile()  # noqa: SIM115  (lives as long as the process)
        self.process = subprocess.Popen(
            [sys.executable, "-m", "labkit.student.worker", lab.name],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self.errors,
            cwd=root, env=environment, start_new_session=True,
        )  # fmt: skip
        assert self.process.stdin is not None and self.process.stdout is not None, "both are pipes"
        self.requests, self.replies = self.process.stdin, self.process.stdout
        self.waiting = b""

    def fileno(self) -> int:
        return self.replies.fileno()

    def run(self, number: int, step: int) -> None:
        """Asks for a run of `step`, 0 for all; a run that goes on is ended."""
        self._ask({"run": number, "step": step})

    def stop(self, number: int) -> None:
        """Asks to end run `number`, and to say where it was."""
        self._ask({"stop": number})

    def events(self) -> list[dict]:
        """What came since the last call; call it when there is something to read.

        Raises:
            LabError: the worker is gone.
        """
        data = os.read(self.fileno(), 65536)
        if not data:
            raise self._gone()
        *lines, self.waiting = (self.waiting + data).split(b"\n")
        events = [event for line in lines if (event := _parsed(line))]
        self.ready |= any("ready" in event for event in events)
        return events

    def close(self) -> None:
        """Ends the worker, and with its input whatever it has started; at once while it only imports."""
        if not self.ready:
            self.process.kill()
        with suppress(BrokenPipeError):  # what it could not be told any more
            self.requests.close()
        try:
            self.process.wait(5)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.replies.close()
        self.errors.close()
        self.folder.cleanup()

    def _ask(self, request: dict) -> None:
        try:
            self.requests.write(json.dumps(request).encode() + b"\n")
            self.requests.flush()
        except BrokenPipeError:
            raise self._gone() from None

    def _gone(self) -> LabError:
        self.errors.seek(0)
        said = self.errors.read().decode(errors="replace").strip().splitlines()
        return LabError(
            f"watch: the process that runs the tests has ended ({said[-1] if said else 'killed?'}); make doctor"
        )


def _parsed(line: bytes) -> dict | None:
    """An event; None for an empty line, or one whose writer was killed."""
    try:
        event = json.loads(line)
    except ValueError:
        return None
    return event if isinstance(event, dict) else None
