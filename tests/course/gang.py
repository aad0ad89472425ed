"""Runs a lab file's command line on many ranks as torchrun would, in forked children that start in milliseconds.

The parent plays torchrun's part: it sets the environment, and ends all ranks once one has failed. Real torchrun takes
seconds to start; the tests that are about it start it.
"""

import functools
import multiprocessing
import os
import signal
import sys
import tempfile
import time
from collections.abc import Callable
from multiprocessing.context import ForkServerContext
from pathlib import Path
from typing import Any

from commandline import ROOT, SOLUTION, Finished
from torch.distributed import TCPStore

from labkit.course import manifest
from labkit.course.kits import kit
from labkit.course.loading import load_implementation
from labkit.toolbox import distributed

DEADLINE = 110.0  # seconds for one run of all ranks; ten times what it takes on an idle machine


def torchrun(size: int, *args: object, file: Path = SOLUTION, timeout: float | None = None) -> Finished:
    """`torchrun --nproc_per_node=SIZE FILE ARGS`: the exit code of the rank that failed first, else 0."""
    return on_ranks(size, _command_line, file, [str(arg) for arg in args], timeout)


def on_ranks(size: int, work: Callable[..., None], *args: Any) -> Finished:
    """Runs `work(*args)`, a function of a module, on `size` ranks. Fails if one is left after DEADLINE."""
    with tempfile.TemporaryDirectory() as folder:
        store = TCPStore("127.0.0.1", 0, is_master=True, wait_for_workers=False)  # torchrun too holds it for the ranks
        ranks = [
            _context().Process(target=_rank, args=(rank, size, store.port, folder, work, args)) for rank in range(size)
        ]
        for rank, process in enumerate(ranks):
            for name in ("out", "err"):
                Path(folder, f"{name}{rank}").touch()
            process.start()
        code, left, end = 0, list(ranks), time.monotonic() + DEADLINE
        while left and time.monotonic() < end:
            time.sleep(0.01)
            for process in [process for process in left if process.exitcode is not None]:
                left.remove(process)
                code = code or process.exitcode
                for other in left if process.exitcode else ():
                    other.terminate()
        for process in left:
            process.kill()
            process.join()
        assert not left, f"{len(left)} of {size} ranks were left after {DEADLINE:g} s"
        out, err = (
            "".join(Path(folder, f"{name}{rank}").read_text() for rank in range(size)) for name in ("out", "err")
        )
        return Finished(code, out, err)


def learnt(out: str) -> list[str]:
    """What a training printed, without its memory: FSDP's peak was seen to differ from run to run."""
    return [line for line in out.splitlines() if not line.startswith("Memory Reduction")]


@functools.cache
def _context() -> ForkServerContext:
    """Forks from a server that has only imported: a process that has computed on threads cannot fork safely."""
    before = os.environ.get("PYTHONPATH")
    os.environ["PYTHONPATH"] = os.pathsep.join([str(ROOT / "src"), str(Path(__file__).parent)])
    try:
        context = multiprocessing.get_context("forkserver")
        context.set_forkserver_preload(
            [
                "gang",
                "labkit.experiments.timeline",
                "labkit.labs.data_parallel.commands",
                "labkit.labs.mixed_precision.sharded_checkpoint",
                "torch._dynamo",
                "torch.distributed.fsdp",
            ]
        )
        process = context.Process(target=time.sleep, args=(0,))
        process.start()
        process.join()
    finally:
        if before is None:
            del os.environ["PYTHONPATH"]
        else:
            os.environ["PYTHONPATH"] = before
    return context


def _rank(rank: int, size: int, port: int, folder: str, work: Callable[..., None], args: tuple[Any, ...]) -> None:
    import torch

    from labkit.observe.rank import ask_no_name_server

    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    torch.set_num_threads(1)
    ask_no_name_server()
    os.environ |= {
        "RANK": str(rank),
        "WORLD_SIZE": str(size),
        "LOCAL_RANK": str(rank),
        "LOCAL_WORLD_SIZE": str(size),
        "MASTER_ADDR": "127.0.0.1",
        "MASTER_PORT": str(port),
        "TORCHELASTIC_RUN_ID": "gang",
        "TORCHELASTIC_USE_AGENT_STORE": "True",
    }
    for name, stream in (("out", sys.stdout), ("err", sys.stderr)):
        with open(f"{folder}/{name}{rank}", "wb") as file:
            os.dup2(file.fileno(), stream.fileno())
    work(*args)


def _command_line(file: Path, args: list[str], timeout: float | None) -> None:
    if timeout:
        distributed.TIMEOUT = type(distributed.TIMEOUT)(seconds=timeout)
    commands = kit(manifest.find(file.stem), "commands")
    assert commands, f"{file.name} has no command line"
    commands.main(load_implementation(file), args)
