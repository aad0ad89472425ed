"""A few ranks for a page, a notebook or a quick look: no torchrun, no file of your own."""

import multiprocessing
import os
import tempfile
import time
import traceback
import warnings
from collections.abc import Callable
from multiprocessing.connection import Connection, wait
from typing import Any

import torch
import torch.distributed as dist

from labkit.course.errors import LabError

GRACE = 1.0  # seconds: a rank may raise because another one has died, whose end shows a moment later


def on_ranks(work: Callable[[int], Any], ranks: int = 2) -> list[Any]:
    """What `work(rank)` returns on each of `ranks` processes, which are forked from this one and form a gloo group.

    They compute on the CPU and see no GPU.

    It has to return numbers, strings, or lists of them, and no tensors (`tensor.tolist()` makes them lists): their
    memory ends with the rank.

    Raises LabError, with the name of the rank, if one raises or dies; the others are ended then.
    """
    context = multiprocessing.get_context("fork")
    waiting: dict[Any, int] = {}
    results: dict[int, Any] = {}
    raised: list[str] = []
    died: list[str] = []

    def collect(seconds: float | None) -> None:
        ready: list[Any] = wait(list(waiting), seconds)
        for connection in ready:
            assert isinstance(connection, Connection)
            rank = waiting.pop(connection)
            try:
                results[rank], error = connection.recv()
                raised.extend([f"rank {rank} raised {error}"] if error else [])
            except EOFError:
                died.append(f"rank {rank} died without an answer")

    with tempfile.TemporaryDirectory(prefix="labkit-ranks-") as folder:
        processes = []
        try:
            for rank in range(ranks):
                ours, theirs = context.Pipe(duplex=False)
                process = context.Process(target=_be_rank, args=(work, rank, ranks, f"{folder}/store", theirs))
                process.start()
                processes.append(process)
                theirs.close()
                waiting[ours] = rank
            while waiting and not (raised or died):
                collect(None)
            if raised and waiting:
                collect(GRACE)
        finally:
            for process in processes:
                process.kill()
                process.join()
    if died or raised:
        raise LabError([*died, *raised][0])
    return [results[rank] for rank in range(ranks)]


def _be_rank(work: Callable[[int], Any], rank: int, ranks: int, store: str, answers: Connection) -> None:
    torch.set_num_threads(1)
    os.environ["CUDA_VISIBLE_DEVICES"] = ""  # FSDP2 would move what it shards to a GPU
    warnings.simplefilter("ignore", FutureWarning)  # of torch 2.13: new names for two collective calls
    dist.init_process_group("gloo", init_method=f"file://{store}", rank=rank, world_size=ranks)
    try:
        answer = (work(rank), "")
        dist.barrier()  # no rank leaves while another still needs it
    except Exception as error:
        answer = (None, "".join(traceback.format_exception_only(error)).strip())
    answers.send(answer)
    if answer[1]:
        time.sleep(2 * GRACE)  # until it is ended: a rank that is still forming its group would raise if this one left
    os._exit(0)  # a process that unwinds further sometimes aborts in the teardown of its group
