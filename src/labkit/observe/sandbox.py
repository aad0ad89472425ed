"""Runs scenarios on a submission that nobody trusts, in a `Box`; this side loads nothing of it, and only reads bytes.

In the box, a server that `template` has forked gives every test a fresh worker. Whatever that side says is judged like
an answer. Its deadlines are the server's; where the server does not keep them, this side ends the box and starts
another. It does so too where the box fills the disk.
"""

import hashlib
import json
import os
import select
import shutil
import socket
import subprocess
import time
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory

import torch

from labkit.course.errors import LabError
from labkit.course.lab import Lab
from labkit.course.loading import LOADING
from labkit.course.records import NO_SANDBOX
from labkit.observe import values
from labkit.observe.answer import PRINTED, Answer, Ending
from labkit.observe.channel import Channel, Closed, Torn
from labkit.observe.deadline import OutOfTime
from labkit.observe.disk import overfull, shortage
from labkit.observe.isolation import Box, Level
from labkit.observe.local import Scenario, too_many_ranks
from labkit.observe.rank_group import START, Shape
from labkit.observe.template import NotStarted, Template
from labkit.observe.users import some_uid
from labkit.observe.values import MESSAGE, Json, NotAValue

LATE = 10.0  # seconds that the server has, which ends a worker that does not keep its limit, and says where it was
LOOK = 0.2  # seconds from one look at the disk to the next


class Sandbox:
    """One submission in a box: a server that is started at the first use, and again once it cannot be relied on."""

    def __init__(
        self,
        lab: Lab,
        path: Path,
        level: Level,
        overlay: Path | None = None,
        device: str = "cpu",
        limit: float = LOADING,
        template: Template | None = None,
    ) -> None:
        """`path`: the submission, and `overlay` what runs on top of it; `limit`: the seconds for importing it.

        `template`: of this lab; None: it starts one of its own.
        """
        self.lab, self.path, self.overlay = lab, path, overlay
        self.level, self.device, self.limit = level, device, limit
        self.temporary = TemporaryDirectory(prefix="labkit-sandbox-", ignore_cleanup_errors=True)
        self.template, self.owns_it = template or Template(lab), template is None
        uid, self.holder = some_uid()
        self.box = Box(level, Path(self.temporary.name), uid, self.template.code)
        self.channel: Channel | None = None
        self.loading = 0.0  # seconds for which this side has waited for imports of the submission
        self.answering = 0.0  # and for its answers
        self._copy()

    def load(self) -> None:
        """Imports the submission once, in a worker of its own.

        Raises:
            LabError: it cannot be imported; the line names it and its place, as everywhere.
        """
        answer = self.run(os.urandom(8).hex(), None, Shape(1), self.limit)
        where = f", {answer.where.partition(':')[0]}" if answer.where else ""
        if answer.ending == Ending.RETURNED:
            return
        if answer.raised is not None:
            told = self._told(answer.raised.message)  # whatever it says, it is the submission's own fault
            raise LabError(told if told.startswith(f"{self.path}") else f"{self.path}: {told}")
        if answer.ending == Ending.MACHINERY:
            raise LabError(f"the course's own machinery failed, not the file {self.path}: {answer.says}")
        raise LabError(self._told(f"{self.path}{where}: {answer.says} while the file was imported"))

    def run(self, test: str, job: Json, shape: Shape, seconds: float) -> Answer:
        """How `job` ended, [module, scenario, inputs], on as many ranks as `shape` has."""
        seed = hashlib.sha256(f"{torch.default_generator.initial_seed()}".encode()).digest()
        request = [test, job, shape.size, shape.group, seconds, int.from_bytes(seed[:7], "big")]
        start, before = time.monotonic(), self.loading
        try:
            return self._asked(request, shape, seconds)
        except (OutOfTime, TimeoutError):
            answer = Answer(ending=Ending.TIMEOUT, says=f"no answer within {seconds:g} s")
        except Closed:
            answer = Answer(ending=Ending.CRASHED, says="your code ended the process that watches it")
        except Torn as error:
            answer = Answer.malformed(NotAValue(str(error)))
        except _Over as over:
            answer = over.answer
        except BaseException:
            self.end()
            raise
        self.end()
        self.answering += time.monotonic() - start - (self.loading - before)  # no answer has taken time too
        return answer

    def end(self) -> None:
        """Ends the server, and all that runs or ran below it."""
        if self.channel is None:
            return
        channel, self.channel = self.channel, None
        with suppress(OSError):  # it is gone
            channel.end.shutdown(socket.SHUT_WR)  # what keeps the box sees that, and closes the other end last
        self.box.close()
        channel.drain(time.monotonic() + LATE)
        channel.close()
        subprocess.run(["rm", "-rf", "--", str(self.box.folder / "home")], stderr=subprocess.DEVNULL)  # however deep

    def close(self) -> None:
        self.end()
        self.temporary.cleanup()
        if self.holder is not None:
            self.holder.close()
        if self.owns_it:
            self.template.close()

    def _asked(self, request: Json, shape: Shape, seconds: float) -> Answer:
        """The answer, of another server where this one asks for that, or has been stopped. Raises _Over if a new one
        does or has.
        """
        new = self.channel is None
        channel = self._ready()
        key = os.urandom(8).hex()  # what has been written ahead is no answer
        channel.send(json.dumps([key, *request]).encode())
        try:
            reason = self._next(channel, LATE if shape.size == 1 else START + LATE)
        except TimeoutError:
            reason = b"no answer"
        if reason:
            if new:  # it has run no submission
                raise _broken(reason)
            self.end()
            return self._asked(request, shape, seconds)
        start = time.monotonic()
        if self._next(channel, self.limit + LATE) != key.encode():
            raise Torn("a reply that nobody asked for")
        self.loading += time.monotonic() - start
        start = time.monotonic()
        answer = Answer.load(self._next(channel, seconds + LATE))
        printed = self._next(channel, LATE)[-PRINTED:].decode(errors="replace")
        took = time.monotonic() - start
        self.answering += took
        return answer.but(seconds=took, printed=printed)

    def _next(self, channel: Channel, seconds: float) -> bytes:
        """What the server says next. Raises TimeoutError, and _Over if the box fills the disk meanwhile."""
        end = time.monotonic() + seconds
        while (left := end - time.monotonic()) > 0:
            comes = select.select([channel], [], [], min(LOOK, left))[0]
            self._look_at_the_disk()
            if comes and (message := channel.receive(end)) is not None:
                return message
        raise TimeoutError

    def _look_at_the_disk(self) -> None:
        """What fills a disk ends with its box; what fails since the disk is full is nobody's fault."""
        if self.level == Level.BUBBLEWRAP:  # it writes to memory, with a limit
            return
        if much := overfull(self.box.folder / "home"):
            raise _Over(Answer(ending=Ending.CRASHED, says=f"your code wrote {much} to its folder"))
        if short := shortage(self.box.folder):
            raise _Over(Answer(ending=Ending.MACHINERY, says=short))

    def _ready(self) -> Channel:
        if self.channel is not None:
            return self.channel
        try:
            channel = self.channel = self.template.server()
            channel.send(json.dumps(self._order()).encode())
            said = channel.receive(time.monotonic() + START + LATE)
        except (NotStarted, LabError) as error:
            raise _broken(str(error).encode()) from None
        except (Closed, Torn):
            said = b"it ended"
        if said or said is None:
            raise _broken(said or b"no answer")
        return channel

    def _order(self) -> Json:
        """What the server is told, which knows the same names."""
        own, lab = self.box.submission, self.lab
        work = {
            "path": str(own / self.path.name), "overlay": self.overlay and str(own / "overlay.py"),
            "builds_on": lab.builds_on, "device": self.device, "landlock": self.level == Level.LANDLOCK,
            "loading": self.limit, "most": max(map(lab.limit_of, lab.behaviours)),
        }  # fmt: skip
        return {
            "work": work, "confinement": asdict(self.box.open()), "cores": sorted(os.sched_getaffinity(0)),
            "judge": os.getpid(), "ranks": any(step.ranks > 1 for step in lab.steps),
        }  # fmt: skip

    def _copy(self) -> None:
        """Puts the submission into the box, with what it builds on."""
        own = self.box.folder / "submission"
        for stem in (self.path.stem, *self.lab.builds_on):
            with suppress(FileNotFoundError):  # which the import then says
                shutil.copyfile(self.path.with_name(f"{stem}.py"), own / f"{stem}.py")
        if self.overlay is not None:
            shutil.copyfile(self.overlay, own / "overlay.py")

    def _told(self, text: str) -> str:
        """A line of the submission's own, with the path that people know, and nothing that a terminal obeys."""
        known = text.replace(f"{self.box.submission}/overlay.py", str(self.overlay))
        known = known.replace(f"{self.box.submission}", str(self.path.parent))
        return "".join(letter if letter.isprintable() else " " for letter in known)[:MESSAGE]


class _Over(Exception):
    """The server is not waited for: the answer is known without it."""

    def __init__(self, answer: Answer) -> None:
        super().__init__(answer.says)
        self.answer = answer


def _broken(reason: bytes) -> _Over:
    """Of a server that has not run any submission yet, and does not start."""
    says = f"{NO_SANDBOX}: {reason[:MESSAGE].decode(errors='replace')}"
    return _Over(Answer(ending=Ending.MACHINERY, says=says))


@dataclass
class Sandboxed:
    """Observes one test's scenarios in a sandbox. The test has `left` seconds, each run at most `seconds`."""

    sandbox: Sandbox
    test: str
    left: float
    seconds: float
    most: Shape = field(default_factory=lambda: Shape(1))

    def run(self, scenario: Scenario, inputs: dict[str, object], ranks: int = 1) -> Answer:
        if ranks > self.most.size:
            return too_many_ranks(ranks)
        try:
            job = [scenario.__module__, scenario.__name__, values.encode(inputs)]
        except NotAValue as error:
            return Answer(ending=Ending.MACHINERY, says=f"the test sends what is no value: {error}")
        shape = Shape(ranks, self.most.group)
        answer = self.sandbox.run(self.test, job, shape, max(0.1, min(self.left, self.seconds)))
        self.left -= answer.seconds
        return answer
