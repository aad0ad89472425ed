"""What runs in the box of a sandbox: a server, which has imported torch and the scenarios, and forks a worker a test.

The server never loads the submission, but it is of the same user as its workers. So nobody relies on what it says once
the first of them has run, and `sandbox`, on the other side, has deadlines of its own.
"""

import functools
import json
import marshal
import os
import random
import signal
import subprocess
import time
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from types import ModuleType

import numpy
import torch

from labkit.course import confine, loading
from labkit.course.errors import LabError
from labkit.course.processes import end_children
from labkit.observe.answer import PRINTED, Answer, Ending, crashed, joined
from labkit.observe.channel import Channel, Closed, Torn
from labkit.observe.child import Child, Setting, line_text
from labkit.observe.deadline import OutOfTime, limited
from labkit.observe.local import RankWork
from labkit.observe.rank_group import START, RankGroup, Shape
from labkit.observe.values import Json, NotAValue, parse

GRACE = 2.0  # seconds after which a worker is ended that does not end itself at its limit


@dataclass(frozen=True, kw_only=True)
class ConfinedWork(RankWork):
    """What a worker or a rank does: before it loads the submission, it confines itself further than its server is.

    `loading` and `most`: the seconds that the import and any test may take. `others`: the processes that its user has
    otherwise. `code`: what `_compile` has made of its files.
    """

    landlock: bool
    loading: float
    most: float
    others: int = 0
    network: bool = False
    code: bytes = b""

    def load(self) -> ModuleType:
        _confined(self)
        if self.code:
            loading.BEFORE |= marshal.loads(self.code)
        return super().load()


@functools.cache
def _confined(work: ConfinedWork) -> None:
    """Confines this process; once, as a worker does several jobs."""
    confine.hide(False)
    if work.landlock:
        confine.restrict_worker(work.network)
    confine.restrict_resources(work.loading + work.most + START, work.others, memory=work.device == "cpu")


class Server:
    """Does requests, [key, test, job, ranks, group, seconds, seed]. For each, it says "", or why another server has to
    do it; the request's key, when the submission is loaded; the answer; and what the worker has printed.
    """

    def __init__(self, channel: Channel, work: ConfinedWork, folders: list[Path], alone: bool) -> None:
        """`folders`: those that can be written to, its home first. `alone`: a signal to all reaches workers only."""
        self.channel, self.work, self.folders, self.alone = channel, work, folders, alone
        self.at_first = {path for folder in self.folders for path in folder.iterdir()}
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
        if job is None:  # it is only loaded, as all are at first
            self.work = replace(self.work, code=self._compiled())
        worker = self.worker = self.worker or _Worker(self.work, self.folders[0], self.channel, seed)
        answer = worker.ask([job, seconds])
        self.channel.send(key)
        self.channel.send(answer if worker.ended else worker.hear(seconds))
        self.channel.send(worker.printed())
        if worker.ended:
            self._end_worker()

    def _compiled(self) -> bytes:
        """The code of the submission, from a process that only compiles it, and is confined as workers are;
        b"" if it cannot be compiled, or not soon: workers then say why.
        """
        ours, theirs = Channel.pair()
        setting = Setting(bound=signal.SIGKILL, close=(self.channel.fileno(), ours.fileno()))
        child = Child.fork(functools.partial(_compile, theirs, self.work), setting)
        theirs.close()
        try:
            return ours.receive(time.monotonic() + GRACE) or b""
        except (Closed, Torn):
            return b""
        finally:
            child.kill()
            ours.close()

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


def _compile(channel: Channel, work: ConfinedWork) -> None:
    _confined(work)
    files = [work.path, *filter(None, [work.overlay]), *(work.path.with_name(f"{stem}.py") for stem in work.builds_on)]
    with suppress(LabError):
        channel.send(marshal.dumps({str(file): loading.compiled(file) for file in files}))


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
