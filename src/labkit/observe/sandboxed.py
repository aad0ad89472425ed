"""What runs on the other side of `template` and `sandbox`.

    serve           imports torch and the scenarios, once for many submissions
      _keep         for each: waits outside of the box, and ends all that was in it
        _Server     in the box; forks, never loads the submission
          _Worker   does the jobs of one test

The server is of the same user as its workers. So nobody relies on what it says once the first of them has run, and
`sandbox` has deadlines of its own.
"""

import functools
import gc
import importlib
import json
import os
import random
import select
import signal
import socket
import subprocess
import tempfile
import time
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from types import ModuleType

import numpy
import torch

from labkit.course import confine
from labkit.course.errors import LabError
from labkit.course.processes import adopt_orphans, end_children, end_with
from labkit.observe.answer import PRINTED, Answer, Ending, crashed, joined
from labkit.observe.channel import Channel, Closed, Torn
from labkit.observe.child import Child, Setting, line_text
from labkit.observe.deadline import OutOfTime, limited
from labkit.observe.local import RankWork
from labkit.observe.rank_group import LOOPBACK, START, RankGroup, Shape, loopback_is_up
from labkit.observe.ranks import import_for_labs, import_for_ranks
from labkit.observe.values import Json, NotAValue, parse

GRACE = 2.0  # seconds after which a worker is ended that does not end itself at its limit


@dataclass(frozen=True, kw_only=True)
class ConfinedWork(RankWork):
    """What a worker or a rank does: before it loads the submission, it confines itself further than its server is.

    `loading` and `most`: the seconds that the import and any test may take. `others`: the processes that its user has
    otherwise.
    """

    landlock: bool
    loading: float
    most: float
    others: int = 0
    network: bool = False

    def load(self) -> ModuleType:
        _confined(self)
        return super().load()


@functools.cache
def _confined(work: ConfinedWork) -> None:
    """Confines this process; once, as a worker does several jobs."""
    confine.hide(False)
    if work.landlock:
        confine.restrict_worker(work.network)
    confine.restrict_resources(work.loading + work.most + START, work.others, memory=work.device == "cpu")


@dataclass(frozen=True)
class Order:
    """What the server of a box is told when it starts. `judge` is who sent it, on `cores`."""

    work: Json
    confinement: confine.Confinement
    cores: list[int]
    judge: int
    ranks: bool

    @classmethod
    def of(cls, confinement: Json, **data: Json) -> "Order":
        texts = {name: tuple(confinement[name]) for name in ("writable", "readable")}
        return cls(confinement=confine.Confinement(**confinement | texts), **data)

    def confined_work(self) -> ConfinedWork:
        """To be asked once in the box."""
        paths = {name: self.work[name] and Path(self.work[name]) for name in ("path", "overlay")}
        done = self.work | paths | {"builds_on": tuple(self.work["builds_on"])}
        return ConfinedWork(**done, others=confine.processes_of(os.getuid()))


def serve(number: int) -> None:
    """Imports all that workers need, says "ready", and forks a server for each channel that comes."""
    orders = socket.socket(fileno=number)
    end_with(os.getppid())
    confine.hide(True)
    wanted = parse(orders.recv(2**20))
    (import_for_ranks if wanted["ranks"] else import_for_labs)()
    for module in wanted["modules"]:
        importlib.import_module(module)
    gc.freeze()
    gc.enable()
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # nobody waits for what keeps a box
    orders.send(b"ready")
    while descriptors := socket.recv_fds(orders, 8, 1)[1]:
        Child.fork(functools.partial(_keep, descriptors[0]), Setting(close=(number,)))
        os.close(descriptors[0])


def _keep(number: int) -> None:
    """Keeps the box of one submission, from outside: starts its server, and ends all that is left once that has ended,
    or the judge wants no more of it.
    """
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    adopt_orphans()
    channel = Channel.inherited(number)
    order = Order.of(**parse(channel.receive()))
    confinement = order.confinement
    os.sched_setaffinity(0, order.cores)
    try:
        confinement.join()
    except OSError as error:
        return channel.send(f"its namespaces cannot be joined ({error.strerror})".encode())
    server = Child.fork(functools.partial(_be_the_server, channel, order), Setting())
    ended = os.pidfd_open(server.pid)
    either = select.poll()
    either.register(ended, select.POLLIN)
    either.register(channel, select.POLLRDHUP)
    either.poll()
    server.kill()
    if confinement.uid is not None and confinement.beside is None:  # whatever has left its group
        subprocess.run(["/bin/sh", "-c", "kill -9 -1"], user=confinement.uid, group=confinement.uid, extra_groups=[])
    end_children(kept=())


def _be_the_server(channel: Channel, order: Order) -> None:
    """Enters the box and tells "" once ready, or why it isn't. Then, for each request, the same; the request's key,
    when the submission is loaded; the answer; and what the worker has printed.
    """
    home = order.confinement.writable[0]
    os.environ |= {"HOME": home, "TMPDIR": home}
    tempfile.tempdir = None
    silence = os.open(os.devnull, os.O_RDWR)
    for taken in (0, 1, 2):
        os.dup2(silence, taken)
    os.close(silence)  # a worker could set its flags, for the next to find
    try:
        order.confinement.enter()
    except OSError as error:
        return channel.send(f"it cannot be confined ({error.strerror})".encode())
    confine.hide(True)
    adopt_orphans()
    channel.send(LOOPBACK.encode() if order.ranks and not loopback_is_up() else b"")
    server = _Server(channel, order)
    try:
        server.serve()
    except Closed:
        server.sweep()


class _Server:
    """Does requests: each [key, test, job, ranks, group, seconds, seed]."""

    def __init__(self, channel: Channel, order: Order) -> None:
        self.channel, self.work = channel, order.confined_work()
        self.folders = [Path(folder) for folder in order.confinement.writable]
        self.at_first = {path for folder in self.folders for path in folder.iterdir()}
        self.alone = order.confinement.beside is not None or _cannot_signal(order.judge)
        self.worker: _Worker | None = None
        self.ranks: RankGroup | None = None
        self.test = ""

    def serve(self) -> None:
        """Returns when another server has to do the request, and says so."""
        while True:
            key, test, job, ranks, group, seconds, seed = parse(self.channel.receive())
            if test != self.test and not self.sweep():
                return self.channel.send(b"files of the test before cannot be removed")
            self.test = test
            if ranks > 1 and (failure := self._failure(Shape(ranks, group))):
                return self.channel.send(failure.encode())
            self.channel.send(b"")
            if ranks > 1:
                self._ask_ranks(key.encode(), job, seconds)
            else:
                self._ask_worker(key.encode(), job, seconds, seed)

    def sweep(self) -> bool:
        """Ends what did the test before, and all that it has left. Whether nothing of it is left."""
        self._end_worker()
        if self.ranks is not None:
            self.ranks.kill()
            self.ranks = None
        if self.alone:
            with suppress(ProcessLookupError):
                os.kill(-1, signal.SIGKILL)
        end_children(kept=())
        for name in ("output", "stack"):  # of the worker: mostly all that there is
            with suppress(OSError):
                Path(self.folders[0], name).unlink()
        for command in (["rm", "-rf"], ["chmod", "-R", "u+rwX"], ["rm", "-rf"]):
            if not (left := self._left()):
                return True
            subprocess.run([*command, "--", *map(str, left)], stderr=subprocess.DEVNULL)
        return not self._left()

    def _left(self) -> list[Path]:
        return [path for folder in self.folders for path in folder.iterdir() if path not in self.at_first]

    def _end_worker(self) -> None:
        if self.worker is not None:
            self.worker.end()
            self.worker = None

    def _ask_worker(self, key: bytes, job: Json, seconds: float, seed: int) -> None:
        worker = self.worker = self.worker or _Worker(self.work, self.folders[0], self.channel, seed)
        answer = worker.ask([job, seconds])
        self.channel.send(key)
        self.channel.send(answer if worker.ended else worker.hear(seconds))
        self.channel.send(worker.printed())
        if worker.ended:
            self._end_worker()

    def _ask_ranks(self, key: bytes, job: Json, seconds: float) -> None:
        assert self.ranks is not None, "they are ready"
        self.channel.send(key)
        self.channel.send(joined(self.ranks.run(job, seconds)).dump())
        self.channel.send(b"")  # ranks print nowhere

    def _failure(self, shape: Shape) -> str:
        """Why no ranks stand ready; "" if they do. They have run no submission yet, or have kept their group."""
        if self.ranks is not None and (self.ranks.broken or self.ranks.shape != shape):
            self.ranks.kill()
            self.ranks = None
        if self.ranks is None:
            work = replace(self.work, network=True)
            self.ranks = RankGroup(work, work.device, work.path, shape, close=(self.channel.fileno(),))
        return self.ranks.run(None, START)[0].says


class _Worker:
    """A process that does the jobs of one test."""

    def __init__(self, work: ConfinedWork, home: Path, servers: Channel, seed: int) -> None:
        self.path, self.loading = work.path, work.loading
        self.channel, theirs = Channel.pair()
        output, stack = home / "output", home / "stack"
        self.output = os.open(output, os.O_RDONLY | os.O_CREAT, 0o600)  # whatever the submission makes of its name
        setting = Setting(output, stack, bound=signal.SIGKILL, close=(servers.fileno(), self.channel.fileno()))
        self.child = Child.fork(functools.partial(_work, theirs, work, seed), setting)
        theirs.close()
        self.ended = False

    def ask(self, request: Json) -> bytes:
        """Sends the request; what it says when it has loaded the submission, or how it has ended."""
        try:
            self.channel.send(json.dumps(request).encode())
        except Closed:
            return self._gone()
        return self.hear(self.loading)

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
        where = line_text(self.path, self.child.where(self.path))
        return self._over(Answer(ending=Ending.TIMEOUT, says=f"no answer within {seconds:g} s", where=where))

    def printed(self) -> bytes:
        size = os.fstat(self.output).st_size
        return os.pread(self.output, PRINTED, max(0, size - PRINTED))

    def end(self) -> None:
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


def _work(channel: Channel, work: ConfinedWork, seed: int) -> None:
    """The worker: answers until it is ended. What a submission draws itself is the same in a regrade."""
    torch.set_num_threads(1)
    (torch.manual_seed if work.device == "cuda" else torch.default_generator.manual_seed)(seed)
    random.seed(seed)
    numpy.random.seed(seed % 2**32)
    while True:
        job, seconds = parse(channel.receive())
        try:
            with limited(work.loading):
                work.load()
        except LabError as error:
            channel.send(b"")
            answer = Answer.of_error(error)
        else:
            channel.send(b"")
            answer = Answer() if job is None else _done(work, job, seconds)
        channel.send(answer.dump())


def _done(work: ConfinedWork, job: Json, seconds: float) -> Answer:
    try:
        with limited(seconds):
            return work(job)
    except OutOfTime as error:  # outside of the scenario
        return Answer.of_error(error)


def _cannot_signal(pid: int) -> bool:
    """Whether a signal to all processes spares those of others, the judge's to begin with."""
    try:
        os.kill(pid, 0)
    except PermissionError:
        return True
    except ProcessLookupError:
        pass
    return False
