"""Runs a scenario on several processes that form a torch.distributed group, with a deadline, and leaves none behind.

A `RankServer` is a process that has imported torch and computed nothing, so that it can fork ranks. They are ready
before they are asked for, and do one job after another: what sharding pays once in a process, it pays once. Ranks of
another shape are started once too. After a job that may have left something in the group, fresh ranks follow. The
server is itself forked from a process that has only imported, or spawned where that is unknown.
"""

import functools
import json
import signal
import sys
import time
from pathlib import Path

from labkit.course.garbage import none_collected
from labkit.observe.answer import Answer, Ending
from labkit.observe.channel import Channel, Closed, Torn
from labkit.observe.child import Child, Setting, how_it_ended
from labkit.observe.rank import Work
from labkit.observe.rank_group import GRACE, START, RankGroup, Shape
from labkit.observe.values import parse

DEADLINE = 20.0  # seconds for one job of all ranks, where nobody gives another
SPAWN = 30.0  # seconds in which a spawned server must have imported torch, on a busy machine


class RankServer:
    """Answers `run(job, shape)`: what `work(job)` gives on each of the ranks."""

    def __init__(
        self,
        work: Work,
        device: str,
        clean: bool,
        path: Path | None = None,
        first: Shape | None = None,
        close: tuple[int, ...] = (),
    ) -> None:
        """
        Args:
            work: a function of module level, or an object of such a class, run in every rank.
            device: "cpu" (gloo) or "cuda" (nccl).
            clean: this process has only imported and may fork; on CUDA, and on other systems than Linux, it never does.
            path: the file in which a rank that gives no answer is said to wait.
            first: the ranks that stand ready before they are asked for.
            close: descriptors of this process that the server must not hold open, such as those of other servers.
        """
        self.channel, theirs = Channel.pair()
        serve = functools.partial(_serve, work=work, device=device, path=path, first=first or Shape())
        if clean and device == "cpu" and sys.platform == "linux":
            setting = Setting(group=False, bound=signal.SIGTERM, close=(self.channel.fileno(), *close))
            self.child = Child.fork(functools.partial(serve, theirs), setting)
        else:
            number = theirs.fileno()
            setting = Setting(group=False, bound=signal.SIGTERM)
            self.child = Child.spawn(functools.partial(serve, number), setting, keep=[number])
        theirs.close()
        self.number = 0  # of the last job: a caller that stopped waiting for one must not get its answers later

    def run(self, job: object, shape: Shape, seconds: float = DEADLINE) -> list[Answer]:
        """What each rank answered to `job`, JSON-ready data; to None, once it is ready."""
        self.number += 1
        deadline = time.monotonic() + SPAWN + START + seconds + 10 * GRACE
        try:
            self.channel.send(json.dumps([self.number, job, shape.size, shape.group, seconds]).encode())
            while self._receive(deadline) != str(self.number).encode():
                pass  # of an earlier job
            return [Answer.load(self._receive(deadline), trusted=True) for _ in range(shape.size)]
        except Torn as error:
            says = f"the server of ranks sent {error}"
        except TimeoutError:
            says = "the server of ranks gave no answer"
        except Closed:
            self.child.wait(GRACE)
            how = "it has closed its connection" if self.child.code is None else how_it_ended(self.child.code)
            says = f"the server of ranks is gone ({how})"
        return [Answer(ending=Ending.MACHINERY, says=says)] * shape.size

    def close(self) -> None:
        self.channel.close()  # _serve ends when nobody can ask any more
        self.child.wait(GRACE)
        self.child.kill()

    def _receive(self, deadline: float) -> bytes:
        message = self.channel.receive(deadline)
        if message is None:
            raise TimeoutError
        return message


@none_collected()
def import_for_labs() -> None:
    """Imports what optimizers and lab files import, once for all the processes that this one forks."""
    import torch._dynamo  # (the first optimizer would import it: 0.7 s in every child)

    import labkit.toolbox.datasets
    import labkit.toolbox.measure
    import labkit.toolbox.models  # noqa: F401

    with torch.autograd.profiler.record_function("import"):
        pass  # it imports, at the first use, what every optimizer uses


@none_collected()
def import_for_ranks() -> None:
    """The same for ranks, which shard too."""
    import torch.distributed.fsdp  # noqa: F401

    import_for_labs()


def _serve(channel: Channel | int, work: Work, device: str, path: Path | None, first: Shape) -> None:
    import_for_ranks()
    channel = Channel.inherited(channel) if isinstance(channel, int) else channel
    groups: dict[Shape, RankGroup] = {}

    def start(shape: Shape) -> RankGroup:
        own = (channel, *(one for group in groups.values() for one in group.channels))
        return RankGroup(work, device, path, shape, close=tuple(one.fileno() for one in own))

    try:
        signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # the process above is gone: clear away what is left
        groups[first] = start(first)
        while True:
            number, job, size, group, seconds = parse(channel.receive())
            shape = Shape(size, group)
            if shape not in groups:
                groups[shape] = start(shape)
            answers = groups[shape].run(job, seconds)
            for message in (str(number).encode(), *(answer.dump() for answer in answers)):
                channel.send(message)
            if groups[shape].broken:
                groups.pop(shape).kill()
                groups[shape] = start(shape)
    except (Closed, KeyboardInterrupt, SystemExit):
        return
    finally:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)  # it comes with the end of the channel, and would stop this
        for ranks in groups.values():
            ranks.kill()
