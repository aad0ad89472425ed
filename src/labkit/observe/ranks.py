"""Runs a scenario on several processes that form a torch.distributed group, with a deadline, and leaves none behind.

A `RankServer` is a process that has imported torch and computed nothing, so that it can fork ranks. They stand ready
before they are asked for, and do one job after another: what sharding pays once in a process, it pays once. After a run
that may have left something in the group, fresh ranks follow. The server is itself forked from a process that has only
imported, or spawned where that is unknown.
"""

import contextlib
import faulthandler
import functools
import json
import linecache
import multiprocessing
import os
import signal
import sys
import tempfile
import time
from collections.abc import Callable
from datetime import timedelta
from multiprocessing.connection import Connection, wait
from multiprocessing.context import BaseContext
from pathlib import Path

from labkit.course.loading import line_in_stack
from labkit.course.processes import end_with
from labkit.observe.values import Raised, encode

DEADLINE = 20.0  # seconds for one run of all ranks
GRACE = 2.0  # seconds that the others have when one rank has raised: they may wait for it

RANK_TIMEOUT = "RankTimeout"  # the type of a `Raised` for a rank that gave no answer

Work = Callable[[str], str]  # job (JSON) -> what a scenario returned (JSON); runs in a rank


class RankServer:
    """Answers `run(job, size)`: what `work(job)` gives on each of `size` ranks."""

    def __init__(
        self, work: Work, device: str, clean: bool, path: Path | None = None, deadline: float = DEADLINE
    ) -> None:
        """
        Args:
            work: a function of module level, or an object of such a class, run in every rank.
            device: "cpu" (gloo) or "cuda" (nccl).
            clean: this process has only imported and may fork; on CUDA, and on other systems than Linux, it never does.
            path: the file in which a rank that gives no answer is said to wait.
            deadline: seconds for one run of all ranks.
        """
        fork = clean and device == "cpu" and sys.platform == "linux"
        context = multiprocessing.get_context("fork" if fork else "spawn")
        self.connection, other = context.Pipe()
        inherited = self.connection if fork else None
        self.process = context.Process(target=_serve, args=(other, inherited, work, device, path, deadline))
        self.process.start()
        other.close()
        self.number = 0  # of the last job: whoever stopped waiting for one must not be given its answers later

    def run(self, job: str, size: int) -> list[str]:
        """What each rank returned; a rank that gave nothing has a `Raised` that says so."""
        self.number += 1
        self.connection.send((self.number, job, size))
        while (answered := self.connection.recv())[0] != self.number:
            pass
        return answered[1]

    def close(self) -> None:
        self.connection.close()  # _serve ends when nobody can ask any more
        self.process.join(GRACE)
        if self.process.is_alive():
            self.process.kill()
            self.process.join()


def _serve(
    connection: Connection, inherited: Connection | None, work: Work, device: str, path: Path | None, deadline: float
) -> None:
    if inherited is not None:
        inherited.close()  # or this process would keep the pipe open that tells it when to end
    import torch._dynamo
    import torch.distributed.fsdp  # noqa: F401  (what optimizers and sharding import, once for all ranks to come)

    import labkit.toolbox.datasets
    import labkit.toolbox.measure
    import labkit.toolbox.models  # noqa: F401  (what a lab file imports)

    context = multiprocessing.get_context("fork" if device == "cpu" and hasattr(os, "fork") else "spawn")
    group = functools.partial(_Ranks, context, work, device, path, deadline)
    ranks = group(2)  # one stands ready before it is asked for
    try:
        while True:
            number, job, size = connection.recv()
            if size != ranks.size:
                ranks.kill()
                ranks = group(size)
            connection.send((number, ranks.run(job)))
            if ranks.broken:
                ranks.kill()
                ranks = group(size)
    except (EOFError, BrokenPipeError, KeyboardInterrupt):
        return
    finally:
        ranks.kill()


class _Ranks:
    """Processes that have formed a group, and wait for jobs; `broken` once the group cannot be relied on any more."""

    def __init__(
        self, context: BaseContext, work: Work, device: str, path: Path | None, deadline: float, size: int
    ) -> None:
        self.path, self.deadline, self.size, self.broken = path, deadline, size, False
        self.processes, self.connections = [], []
        self.folder = tempfile.TemporaryDirectory(prefix="labkit-ranks-")
        for rank in range(size):
            ours, theirs = context.Pipe()
            arguments = (theirs, work, device, rank, size, self.folder.name, os.getpid())
            process = context.Process(target=_rank, args=arguments)
            process.start()
            theirs.close()
            self.processes.append(process)
            self.connections.append(ours)

    def run(self, job: str) -> list[str]:
        """The ranks' answers to `job`, as far as they come before the deadline.

        A rank that raised, died or gave none breaks the group; so does one that has made other calls on it than the
        rest, or has taken it apart: the next job would meet what it left there.
        """
        for connection in self.connections:
            with contextlib.suppress(BrokenPipeError):  # it has died, as its missing answer will say
                connection.send(job)
        answers: dict[int, str] = {}
        calls: set[int | None] = set()  # that the ranks have made on the group
        deadline = time.monotonic() + self.deadline
        while len(answers) < self.size and (left := deadline - time.monotonic()) > 0:
            for ready in wait([self.connections[rank] for rank in range(self.size) if rank not in answers], left):
                rank = self.connections.index(ready)
                try:
                    answers[rank], made = ready.recv()
                    calls.add(made)
                except (EOFError, ConnectionResetError):
                    answers[rank] = _raised("ChildProcessError", f"rank {rank} died without an answer")
                if '"$": "raised"' in answers[rank][:20]:
                    self.broken = True
                    deadline = min(deadline, time.monotonic() + GRACE)
        late = [rank for rank in range(self.size) if rank not in answers]
        where = dict.fromkeys(late, "") if self.broken else {rank: self._where(rank) for rank in late}
        for rank in late:
            answers[rank] = _raised(RANK_TIMEOUT, f"rank {rank} gave no answer in time", where[rank])
        self.broken |= bool(late) or len(calls) > 1 or None in calls
        return [answers[rank] for rank in range(self.size)]

    def _where(self, rank: int) -> str:
        """The line of the file in which the rank is now, if it can tell: it writes its stack when it is signalled."""
        stack = Path(self.folder.name, f"stack-{rank}")
        if self.path is None or not stack.exists():
            return ""
        os.kill(self.processes[rank].pid, signal.SIGUSR1)
        end = time.monotonic() + GRACE / 2
        while time.monotonic() < end and not (found := line_in_stack(self.path, stack.read_text(errors="replace"))):
            time.sleep(0.05)
        return f"line {found[0]}: {linecache.getline(str(self.path), found[0]).strip()}" if found else ""

    def kill(self) -> None:
        for process in self.processes:
            process.kill()
        for process in self.processes:
            process.join()
        for connection in self.connections:
            connection.close()
        self.folder.cleanup()


def _raised(kind: str, message: str, where: str = "") -> str:
    return json.dumps(encode(Raised(kind, message, where)))


def _rank(connection: Connection, work: Work, device: str, rank: int, size: int, folder: str, server: int) -> None:
    """One rank: joins the group, and answers jobs until it is killed: its own teardown could abort."""
    import torch
    import torch.distributed as dist

    end_with(server)  # the other ranks may hold this rank's pipe open
    silence = os.open(os.devnull, os.O_WRONLY)  # gloo, the profiler and two voices at once: only values count here
    os.dup2(silence, 1)
    os.dup2(silence, 2)
    if hasattr(signal, "SIGUSR1"):  # Windows has none
        stack = open(f"{folder}/stack-{rank}", "w")  # noqa: SIM115  (as long as the process)
        faulthandler.register(signal.SIGUSR1, stack)
    torch.set_num_threads(1)
    os.environ |= {"RANK": str(rank), "LOCAL_RANK": str(rank), "WORLD_SIZE": str(size)}
    if device == "cuda":
        torch.cuda.set_device(rank)
    dist.init_process_group(
        "nccl" if device == "cuda" else "gloo",
        init_method=f"file://{folder}/store",
        rank=rank,
        world_size=size,
        timeout=timedelta(seconds=DEADLINE),
    )
    while True:
        job = connection.recv()
        try:
            answer = work(job)
        except Exception as error:
            answer = json.dumps(encode(Raised.of(error)))
        try:
            calls = dist.group.WORLD._get_sequence_number_for_group()
        except Exception:  # the job has taken the group apart
            calls = None
        connection.send((answer, calls))
