"""The ranks that a server keeps: started together, asked together, and replaced once they cannot be relied on."""

import functools
import json
import select
import signal
import socket
import time
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import torch

from labkit.course.loading import line_in_stack
from labkit.observe.answer import Answer, Ending
from labkit.observe.channel import Channel, Closed, Torn
from labkit.observe.child import Child, Setting, how_it_ended, line_text
from labkit.observe.rank import BROKEN, FAILED, JOINED, Work, be_a_rank, taken_apart
from labkit.observe.values import NotAValue

GRACE = 2.0  # seconds that the others have when one rank has ended otherwise: they may wait for it
START = 60.0  # seconds in which ranks must have formed a group
ABORTED = "ended by SIGABRT"
OTHER_SIZE = "gloo ends a rank whose tensor has another size than the other ranks' in the same call"
LOOPBACK = (
    "ranks need the loopback network (127.0.0.1), which is down here: bring it up (ip link set lo up), "
    "or run the tests where it is"
)


@dataclass(frozen=True)
class Shape:
    """What ranks there are: how many, and whether they have formed a group ("joined" or "bare")."""

    size: int = 2
    group: str = JOINED


def device_of_ranks(device: str) -> str:
    """Where ranks compute: NCCL takes no two of them on one GPU, so with a single one it is the CPU."""
    return device if torch.cuda.device_count() > 1 else "cpu"


class RankGroup:
    """Processes that wait for jobs; `broken` once a job may have left something behind in them."""

    def __init__(self, work: Work, device: str, path: Path | None, shape: Shape, close: tuple[int, ...]) -> None:
        self.path, self.shape, self.broken, self.failure = path, shape, False, ""
        self.folder = TemporaryDirectory(prefix="labkit-ranks-", ignore_cleanup_errors=True)
        self.children: list[Child] = []
        self.channels: list[Channel] = []
        self.started = False
        folder = Path(self.folder.name)
        for rank in range(shape.size):
            ours, theirs = Channel.pair()
            job = functools.partial(be_a_rank, work=work, device=device, rank=rank, size=shape.size,
                                    group=shape.group, folder=folder)  # fmt: skip
            setting = Setting(folder / f"output-{rank}", folder / f"stack-{rank}", bound=signal.SIGKILL)
            if device == "cpu":
                inherited = (*close, ours.fileno(), *(channel.fileno() for channel in self.channels))
                forked = Setting(setting.output, setting.stack, bound=signal.SIGKILL, close=inherited)
                child = Child.fork(functools.partial(job, theirs), forked)
            else:  # CUDA does not survive a fork
                number = theirs.fileno()
                child = Child.spawn(functools.partial(job, number), setting, keep=[number])
            theirs.close()
            self.children.append(child)
            self.channels.append(ours)

    def run(self, job: object, seconds: float) -> list[Answer]:
        """The ranks' answers to `job`.

        A rank that gives no answer breaks the group; so does one that raised after a call on it, has made other calls
        than the rest, or has taken it apart: the next job would meet what it left there.
        """
        if not self._are_ready():
            self.broken = True
            return [Answer(ending=Ending.MACHINERY, says=self.failure)] * self.shape.size
        if job is None:
            return [Answer()] * self.shape.size
        message = json.dumps([_free_port(), job]).encode()
        for channel in self.channels:
            self._send(channel, message)
        start = time.monotonic()
        answers, calls = self._collect(start + seconds)
        late = [rank for rank in range(self.shape.size) if rank not in answers]
        for rank in late:
            where = "" if self.broken or self.path is None else self._where(rank, self.path)
            says = f"rank {rank} gave no answer within {seconds:g} s"
            answers[rank] = Answer(ending=Ending.TIMEOUT, says=says, where=where)
        self.broken |= bool(late) or len(calls) > 1 or BROKEN in calls
        took = time.monotonic() - start
        return [answers[rank].but(seconds=took) for rank in range(self.shape.size)]

    def kill(self) -> None:
        for child in self.children:
            child.kill()
        for channel in self.channels:
            channel.close()
        self.folder.cleanup()

    def _are_ready(self) -> bool:
        """Whether the ranks have formed their group; `failure` says why not. They have run no submission yet."""
        deadline = time.monotonic() + START
        for rank, channel in enumerate([] if self.started else self.channels):
            try:
                said = channel.receive(deadline)
            except (Closed, Torn):
                self.children[rank].wait(GRACE)
                code = self.children[rank].code
                said = FAILED + ("it has closed its connection" if code is None else how_it_ended(code)).encode()
            if said is None or said.startswith(FAILED):
                reason = "no answer" if said is None else said.removeprefix(FAILED).decode(errors="replace")
                self.failure = f"rank {rank} could not start: {reason}" if loopback_is_up() else LOOPBACK
                return False
        self.started = True
        return True

    def _collect(self, deadline: float) -> tuple[dict[int, Answer], set[bytes]]:
        """The answers that come before the deadline, which comes soon once one has ended otherwise; and the numbers of
        calls that these ranks have made on the group.
        """
        answers: dict[int, Answer] = {}
        calls: set[bytes] = set()
        while len(answers) < self.shape.size and (left := deadline - time.monotonic()) > 0:
            waiting = {self.channels[rank]: rank for rank in range(self.shape.size) if rank not in answers}
            for channel in select.select(list(waiting), [], [], left)[0]:
                rank = waiting[channel]
                made, answers[rank] = self._answer(rank, deadline)
                calls.add(made)
                if answers[rank].ending != Ending.RETURNED:
                    self.broken |= answers[rank].ending != Ending.RAISED
                    deadline = min(deadline, time.monotonic() + GRACE)
        return answers, calls

    def _answer(self, rank: int, deadline: float) -> tuple[bytes, Answer]:
        try:
            return taken_apart(self.channels[rank].receive(deadline) or b"")
        except Torn as error:
            return BROKEN, Answer.malformed(NotAValue(str(error)))
        except Closed:
            return BROKEN, self._crash(rank)

    def _crash(self, rank: int) -> Answer:
        child = self.children[rank]
        child.wait(GRACE)
        if child.code is None:
            says = f"rank {rank} closed its connection to the tests"
            return Answer(ending=Ending.CRASHED, says=says)
        how = how_it_ended(child.code)
        if how == ABORTED:
            how += f": {OTHER_SIZE}"
        where = "" if self.path is None else line_text(self.path, line_in_stack(self.path, child.stack))
        return Answer(ending=Ending.CRASHED, says=f"rank {rank} died without an answer, {how}", where=where)

    def _where(self, rank: int, path: Path) -> str:
        return line_text(path, self.children[rank].where(path))

    def _send(self, channel: Channel, message: bytes) -> None:
        try:
            channel.send(message)
        except Closed:  # it has died, as its missing answer will say
            self.broken = True


def _free_port() -> int:
    """A port for ranks that form their group themselves; 0 where there is no loopback."""
    try:
        with socket.create_server(("127.0.0.1", 0)) as server:
            return server.getsockname()[1]
    except OSError:
        return 0


def loopback_is_up() -> bool:
    try:
        with (
            socket.create_server(("127.0.0.1", 0)) as server,
            socket.create_connection(server.getsockname(), timeout=GRACE),
        ):
            return True
    except OSError:
        return False
