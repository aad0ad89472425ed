"""Runs a scenario on several processes that form a torch.distributed group, with a deadline, and leaves none behind.

A `RankServer` is a process that has imported torch and computed nothing, so that it can fork: every run gets fresh
ranks in tens of milliseconds. It is itself forked from a process that has only imported, or spawned where that is
unknown.
"""

import json
import multiprocessing
import os
import sys
import tempfile
import time
from collections.abc import Callable
from datetime import timedelta
from multiprocessing.connection import Connection, wait
from multiprocessing.context import BaseContext
from pathlib import Path

from labkit.values import Raised, encode

DEADLINE = 20.0  # seconds for one run of all ranks
GRACE = 2.0  # seconds that the others have when one rank has raised: they may wait for it

RANK_TIMEOUT = "RankTimeout"  # the type of a `Raised` for a rank that gave no answer

Work = Callable[[str], str]  # job (JSON) -> what a scenario returned (JSON); runs in a rank


class RankServer:
    """Answers `run(job, size)`: what `work(job)` gives on each of `size` ranks."""

    def __init__(self, work: Work, device: str, clean: bool) -> None:
        """
        Args:
            work: a function of module level, or an object of such a class, run in every rank.
            device: "cpu" (gloo) or "cuda" (nccl).
            clean: this process has only imported and may fork; on CUDA, and on other systems than Linux, it never does.
        """
        fork = clean and device == "cpu" and sys.platform == "linux"
        context = multiprocessing.get_context("fork" if fork else "spawn")
        self.connection, other = context.Pipe()
        inherited = self.connection if fork else None
        self.process = context.Process(target=_serve, args=(other, inherited, work, device))
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


def _serve(connection: Connection, inherited: Connection | None, work: Work, device: str) -> None:
    if inherited is not None:
        inherited.close()  # or this process would keep the pipe open that tells it when to end
    import torch._dynamo
    import torch.distributed.fsdp  # noqa: F401  (what optimizers and sharding import, once for all ranks to come)

    import labkit.run  # noqa: F401  (what a lab file imports)

    context = multiprocessing.get_context("fork" if device == "cpu" and hasattr(os, "fork") else "spawn")
    while True:
        try:
            number, job, size = connection.recv()
        except (EOFError, KeyboardInterrupt):
            return
        with tempfile.TemporaryDirectory(prefix="labkit-ranks-") as folder:
            answers = _run_ranks(context, work, device, job, size, Path(folder))
        connection.send((number, answers))


def _run_ranks(context: BaseContext, work: Work, device: str, job: str, size: int, folder: Path) -> list[str]:
    """Starts the ranks, gathers their answers until the deadline, and kills what is left."""
    processes, connections = [], []
    for rank in range(size):
        ours, theirs = context.Pipe(duplex=False)
        process = context.Process(target=_rank, args=(theirs, work, device, job, rank, size, str(folder / "store")))
        process.start()
        theirs.close()
        processes.append(process)
        connections.append(ours)
    answers: dict[int, str] = {}
    deadline = time.monotonic() + DEADLINE
    try:
        while len(answers) < size and (left := deadline - time.monotonic()) > 0:
            for ready in wait([connections[rank] for rank in range(size) if rank not in answers], left):
                rank = connections.index(ready)
                try:
                    answers[rank] = ready.recv()
                except EOFError:
                    answers[rank] = _raised("ChildProcessError", f"rank {rank} died without an answer")
                if '"$": "raised"' in answers[rank][:20]:
                    deadline = min(deadline, time.monotonic() + GRACE)
    finally:
        for process in processes:
            process.kill()
            process.join()
    late = f"no answer within {DEADLINE:g} s: it waits for another rank, or for ever"
    return [answers.get(rank) or _raised(RANK_TIMEOUT, f"rank {rank} gave {late}") for rank in range(size)]


def _raised(kind: str, message: str) -> str:
    return json.dumps(encode(Raised(kind, message)))


def _rank(connection: Connection, work: Work, device: str, job: str, rank: int, size: int, store: str) -> None:
    """One rank: joins the group, does the work, sends the answer, and leaves without a teardown that could abort."""
    import torch
    import torch.distributed as dist

    silence = os.open(os.devnull, os.O_WRONLY)  # gloo, the profiler and two voices at once: only values count here
    os.dup2(silence, 1)
    os.dup2(silence, 2)
    torch.set_num_threads(1)
    os.environ |= {"RANK": str(rank), "LOCAL_RANK": str(rank), "WORLD_SIZE": str(size)}
    if device == "cuda":
        torch.cuda.set_device(rank)
    dist.init_process_group(
        "nccl" if device == "cuda" else "gloo",
        init_method=f"file://{store}",
        rank=rank,
        world_size=size,
        timeout=timedelta(seconds=DEADLINE),
    )
    connection.send(work(job))
    connection.close()
    time.sleep(DEADLINE)  # stays until it is killed: a rank that leaves early breaks the others' collectives
