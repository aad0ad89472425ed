"""Runs a lab file's command line on many ranks as torchrun would, in forked children that start in milliseconds.

Their parent plays torchrun's part: it sets the environment, and ends all ranks once one has failed. Real torchrun takes
seconds to start; the tests that are about it start it.
"""

import functools
import os
import pickle
import signal
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from commandline import ROOT, SOLUTION, Finished
from torch.distributed import TCPStore
from warm_python import python

from labkit.course import manifest
from labkit.course.kits import kit
from labkit.course.loading import load_implementation
from labkit.observe.child import Child, Setting
from labkit.observe.rank import ask_no_name_server
from labkit.toolbox import distributed

DEADLINE = 110.0  # seconds for one run of all ranks; ten times what it takes on an idle machine
MODULES = os.pathsep.join(str(ROOT / folder) for folder in ("src", "tests", "tests/course"))


def torchrun(size: int, *args: object, file: Path = SOLUTION, timeout: float | None = None) -> Finished:
    """`torchrun --nproc_per_node=SIZE FILE ARGS`: the exit code of the rank that failed first, else 0."""
    return on_ranks(size, _command_line, file, [str(arg) for arg in args], timeout)


def on_ranks(size: int, work: Callable[..., None], *args: Any) -> Finished:
    """Runs `work(*args)`, a function of a module, on `size` ranks."""
    store = TCPStore("127.0.0.1", 0, is_master=True, wait_for_workers=False)  # torchrun too holds it for the ranks
    job = pickle.dumps((size, store.port, work, args)).hex()
    environment = os.environ | {"PYTHONPATH": MODULES}
    return python("-c", "import gang; gang.be_torchrun()", job, environment=environment, limit=2 * DEADLINE)


def learnt(out: str) -> list[str]:
    """What a training printed, without its memory: FSDP's peak was seen to differ from run to run."""
    return [line for line in out.splitlines() if not line.startswith("Memory Reduction")]


def be_torchrun() -> None:
    """The parent: it has only imported, as a process that has computed on threads cannot fork safely.

    Raises AssertionError if a rank is left after DEADLINE.
    """
    size, port, work, args = pickle.loads(bytes.fromhex(sys.argv[1]))
    with tempfile.TemporaryDirectory() as folder:
        for name in [f"{name}{rank}" for name in ("out", "err") for rank in range(size)]:
            Path(folder, name).touch()
        setting = Setting(bound=signal.SIGKILL)
        ranks = [
            Child.fork(functools.partial(_rank, rank, size, port, folder, work, args), setting) for rank in range(size)
        ]
        code, left, end = 0, list(ranks), time.monotonic() + DEADLINE
        while left and time.monotonic() < end:
            time.sleep(0.01)
            for ended in [rank for rank in left if not rank.poll()]:
                left.remove(ended)
                code = code or ended.code or 0
                for other in left if ended.code else ():
                    os.kill(other.pid, signal.SIGTERM)
        for rank in left:
            rank.kill()
        for name, stream in (("out", sys.stdout), ("err", sys.stderr)):
            stream.writelines(Path(folder, f"{name}{rank}").read_text() for rank in range(size))
    assert not left, f"{len(left)} of {size} ranks were left after {DEADLINE:g} s"
    sys.exit(code)


def _rank(rank: int, size: int, port: int, folder: str, work: Callable[..., None], args: tuple[Any, ...]) -> int:
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
    try:
        work(*args)
    except SystemExit as error:
        return int(error.code or 0)
    return 0


def _command_line(file: Path, args: list[str], timeout: float | None) -> None:
    if timeout:
        distributed.TIMEOUT = type(distributed.TIMEOUT)(seconds=timeout)
    commands = kit(manifest.find(file.stem), "commands")
    assert commands, f"{file.name} has no command line"
    commands.main(load_implementation(file), args)
