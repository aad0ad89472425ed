"""One rank: joins the group, or is left bare, and does jobs until it is killed; its own teardown could abort."""

import ctypes
import os
import warnings
from collections.abc import Callable
from contextlib import suppress
from datetime import timedelta
from pathlib import Path
from typing import Any

from labkit.observe.answer import Answer, Ending
from labkit.observe.channel import Channel
from labkit.observe.values import Json, NotAValue, parse

Work = Callable[[Json], Answer]  # what a job gives in a rank

READY, FAILED = b"ready", b"failed"
JOINED, BARE = "joined", "bare"
PATIENCE = timedelta(minutes=10)  # of gloo for the other ranks; their server ends them long before
BROKEN = b"broken"  # in place of the number of calls on the group: it is not as it was before the job
RENAMED = r".*(all_gather_into_tensor|reduce_scatter_tensor).*"  # torch 2.13 warns of names that 2.11 has alone


def be_a_rank(channel: Channel | int, work: Work, device: str, rank: int, size: int, group: str, folder: Path) -> None:
    """The job of a rank's process. It first sends READY, or FAILED with the reason, while it has run no submission;
    then, for every job, the number of calls that it has made on the group, a line break, and its answer.
    """
    channel = Channel.inherited(channel) if isinstance(channel, int) else channel
    try:
        _prepare(device, rank, size, group, folder)
    except Exception as error:
        channel.send(FAILED + f"{type(error).__name__}: {error}".encode())
        return
    channel.send(READY)
    while True:
        port, job = parse(channel.receive())
        os.environ |= {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port)}
        before = _calls(group)
        try:
            answer = work(job)
        except BaseException as error:
            answer = Answer.of_error(error)
        calls = _calls(group)
        if answer.ending != Ending.RETURNED and (calls != before or group == BARE):
            calls = BROKEN  # another rank may still be in what it left; what a bare one has begun, nobody knows
        channel.send(calls + b"\n" + answer.dump())


def _prepare(device: str, rank: int, size: int, group: str, folder: Path) -> None:
    import torch
    import torch.distributed as dist

    silence = os.open(os.devnull, os.O_WRONLY)  # two voices at once: only values count here
    os.dup2(silence, 1)
    warnings.filterwarnings("ignore", RENAMED, FutureWarning)
    torch.set_num_threads(1)
    ask_no_name_server()
    os.environ |= {"RANK": str(rank), "LOCAL_RANK": str(rank), "WORLD_SIZE": str(size), "LOCAL_WORLD_SIZE": str(size)}
    if device == "cuda":
        torch.cuda.set_device(rank)
    if group == JOINED:
        backend = "nccl" if device == "cuda" else "gloo"
        store = f"file://{folder}/store"
        dist.init_process_group(backend, init_method=store, rank=rank, world_size=size, timeout=PATIENCE)


def ask_no_name_server() -> None:
    """Names and addresses are looked up on this machine alone, from now on and in this process; where it has glibc.

    torch asks for the name of each address that its store connects to, and /etc/hosts has none for ::ffff:127.0.0.1. A
    name server that gives no answer takes 5 s or 10 s of each.

    Source: https://github.com/pytorch/pytorch/issues/159007, and glibc's nss.h
    """
    with suppress(AttributeError, OSError, TypeError):
        ctypes.CDLL(None).__nss_configure_lookup(b"hosts", b"files")


def _calls(group: str) -> bytes:
    """How many calls this rank has made on the group, or BROKEN."""
    import torch.distributed as dist

    try:
        if group == BARE:
            return BROKEN if dist.is_initialized() else b"0"
        world: Any = dist.group.WORLD  # torch's stub of ProcessGroup lacks the method
        return str(world._get_sequence_number_for_group()).encode()
    except Exception:  # the job has taken the group apart
        return BROKEN


def taken_apart(message: bytes) -> tuple[bytes, Answer]:
    """A rank's message: its calls, and its answer. It may have run anything: garbage is a `malformed` answer."""
    calls, line_break, text = message.partition(b"\n")
    if not line_break or not (calls.isdigit() or calls == BROKEN):
        return BROKEN, Answer.malformed(NotAValue("something else than an answer"))
    return calls, Answer.load(text)
