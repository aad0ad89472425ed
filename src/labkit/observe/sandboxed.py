"""What runs in the box of a sandbox: a server that imports torch and the scenarios once, and forks a worker a test.

The server never loads the submission, but it is of the same user as its workers. So nobody relies on what it says once
the first of them has run, and `sandbox`, on the other side, has deadlines of its own.
"""

import functools
import gc
import importlib
import json
import os
import signal
import subprocess
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import torch

from labkit.course import confine
from labkit.course.errors import LabError
from labkit.course.loading import LOADING
from labkit.course.processes import adopt_orphans, end_children
from labkit.observe.answer import PRINTED, Answer, Ending, crashed, joined
from labkit.observe.channel import Channel, Closed, Torn
from labkit.observe.child import Child, Setting, line_text
from labkit.observe.deadline import OutOfTime, limited
from labkit.observe.local import RankWork
from labkit.observe.rank_group import LOOPBACK, START, Shape, loopback_is_up
from labkit.observe.ranks import RankServer, import_for_labs, import_for_ranks
from labkit.observe.values import Json, NotAValue, parse

GRACE = 2.0  # seconds after which a worker is ended that does not end itself at its limit
AGAIN = b"start another server"
MOST, GROUP, SECONDS, SEED = 2, 3, 4, 5  # of a request; before them come the job and the number of ranks


@dataclass(frozen=True)
class Order:
    """What a server is told when it starts."""

    path: str
    overlay: str | None
    builds_on: list[str]
    device: str
    modules: list[str]
    home: str
    boxed: bool  # the folders in which anyone may write are in memory, and nobody else's
    alone: bool
    landlock: bool
    ranks: bool
    most: float  # seconds that any test may take

    @property
    def work(self) -> RankWork:
        overlay = Path(self.overlay) if self.overlay else None
        return RankWork(Path(self.path), overlay, self.device, tuple(self.builds_on))


def serve(number: int) -> None:
    """The server: tells "" once it is ready, or why it isn't; then the key of each request, when the submission is
    loaded, the answer, and what the worker has printed.
    """
    channel = Channel.inherited(number)
    order = Order(**parse(channel.receive()))
    confine.hide(True)
    adopt_orphans()
    (import_for_ranks if order.ranks else import_for_labs)()
    for module in order.modules:
        importlib.import_module(module)
    gc.collect()
    gc.freeze()
    channel.send(LOOPBACK.encode() if order.ranks and not loopback_is_up() else b"")
    silence = os.open(os.devnull, os.O_RDWR)
    for taken in (1, 2):
        os.dup2(silence, taken)
    _Server(channel, order).serve()


class _Server:
    def __init__(self, channel: Channel, order: Order) -> None:
        self.channel, self.order = channel, order
        self.folders = [Path(order.home), *([Path("/dev/shm")] if order.boxed else [])]
        self.at_first = {path for folder in self.folders for path in folder.iterdir()}
        self.worker: _Worker | None = None
        self.test = ""

    def serve(self) -> None:
        with suppress(Closed):
            while True:
                key, test, *request = parse(self.channel.receive())
                if test != self.test and not self._swept():
                    self.channel.send(AGAIN)
                    return
                self.test = test
                worker = self.worker = self.worker or _Worker(self.order, self.channel, request)
                first = worker.ask(request)
                self.channel.send(key.encode())
                self.channel.send(first if worker.ended else worker.hear(request[SECONDS]))
                self.channel.send(worker.printed())
                if worker.ended:
                    self.worker = None

    def _swept(self) -> bool:
        """Ends the worker of the test before and all that it has left. Whether nothing of it is left."""
        if self.worker is not None:
            self.worker.end()
            self.worker = None
        if self.order.alone:
            with suppress(ProcessLookupError):
                os.kill(-1, signal.SIGKILL)
        end_children(kept=())
        if not (left := self._left()):
            return True
        for command in (["chmod", "-R", "u+rwX"], ["rm", "-rf"]):
            subprocess.run([*command, "--", *map(str, left)], stderr=subprocess.DEVNULL)
        return not self._left()

    def _left(self) -> list[Path]:
        return [path for folder in self.folders for path in folder.iterdir() if path not in self.at_first]


class _Worker:
    """A process that does the jobs of one test."""

    def __init__(self, order: Order, servers: Channel, request: Json) -> None:
        self.order = order
        self.channel, theirs = Channel.pair()
        home = Path(order.home)
        self.output = os.open(
            home / "output", os.O_RDONLY | os.O_CREAT, 0o600
        )  # this file, whatever is made of its name
        setting = Setting(home / "output", home / "stack", close=(servers.fileno(), self.channel.fileno()))
        self.child = Child.fork(functools.partial(_work, theirs, order, request), setting)
        theirs.close()
        self.ended = False

    def ask(self, request: Json) -> bytes:
        """Sends the request; what it says when it has loaded the submission, or how it has ended."""
        try:
            self.channel.send(json.dumps(request).encode())
        except Closed:
            return self._gone()
        return self.hear(LOADING + (START if request[MOST] > 1 else 0))

    def hear(self, seconds: float) -> bytes:
        """What it says next, or how it has ended."""
        try:
            said = self.channel.receive(time.monotonic() + seconds + GRACE)
        except Torn as error:
            return self._over(Answer.malformed(NotAValue(str(error))))
        except Closed:
            return self._gone()
        if said is not None:
            return said
        where = line_text(self.order.work.path, self.child.where(self.order.work.path))
        return self._over(Answer(ending=Ending.TIMEOUT, says=f"no answer within {seconds:g} s", where=where))

    def printed(self) -> bytes:
        size = os.fstat(self.output).st_size
        return os.pread(self.output, PRINTED, max(0, size - PRINTED))

    def end(self) -> None:
        if not self.ended:
            self.child.kill()
        os.close(self.output)
        self.channel.close()

    def _gone(self) -> bytes:
        cut_off = self.child.wait(GRACE)
        return self._over(crashed(None if cut_off else self.child.code))

    def _over(self, answer: Answer) -> bytes:
        self.child.kill()
        self.ended = True
        return answer.dump()


def _work(channel: Channel, order: Order, request: Json) -> None:
    """The worker: confines itself further, loads the submission, and answers until nobody asks."""
    most, group, seed = request[MOST], request[GROUP], request[SEED]
    confine.hide(False)
    if order.landlock:
        confine.restrict_worker(network=most > 1)
    confine.restrict_resources(order.most + LOADING + START, memory=order.device == "cpu")
    torch.set_num_threads(1)
    torch.default_generator.manual_seed(seed)
    work = order.work
    server = None
    if most > 1:
        server = RankServer(
            work, order.device, order.device == "cpu", work.path, Shape(most, group), (channel.fileno(),)
        )
    while True:
        job, size, *_, seconds, _ = parse(channel.receive())
        if size > 1 and server is not None:
            server.run(None, Shape(size, group))
            channel.send(b"")
            answer = joined(server.run(job, Shape(size, group), seconds))
        else:
            answer = _alone(channel, work, job, seconds)
        channel.send(answer.dump())


def _alone(channel: Channel, work: RankWork, job: Json, seconds: float) -> Answer:
    """The answer of this process itself, once it has said that it has loaded the submission."""
    try:
        with limited(LOADING):
            work.load()
    except (LabError, OutOfTime) as error:
        channel.send(b"")
        return Answer.of_error(error)
    channel.send(b"")
    if job is None:
        return Answer()
    try:
        with limited(seconds):
            return work(job)
    except OutOfTime as error:  # outside of the scenario
        return Answer.of_error(error)
