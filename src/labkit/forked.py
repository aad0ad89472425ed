"""Runs many small jobs, each in a process forked from this one, so that none pays for importing torch again."""

import os
import signal
import sys
import time
import traceback
from collections.abc import Callable, Iterator
from pathlib import Path

TIME_LIMIT = 300.0  # seconds for one job


def run_forked(job: Callable[[int], object], count: int, scratch: Path) -> Iterator[tuple[int, str]]:
    """Runs `job(0)` to `job(count - 1)` on all cores; yields each number with what it printed, as they end.

    This process must not have computed with torch before: threads do not survive a fork, and a child would wait for
    them for ever. A job that takes longer than `TIME_LIMIT` is killed.
    """
    import pytest  # noqa: F401  (imported here once, so that the children need not)
    import torch._dynamo  # noqa: F401  (the first optimizer would import it: 0.7 s in every child)

    import labkit.plugin  # noqa: F401

    workers = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    waiting, running = list(range(count)), {}
    try:
        while waiting or running:
            while waiting and len(running) < workers:
                index = waiting.pop(0)
                running[_fork(job, index, scratch)] = (index, time.monotonic() + TIME_LIMIT)
            pid, _ = os.waitpid(-1, os.WNOHANG)
            if pid in running:
                index, _ = running.pop(pid)
                output = scratch / f"output-{index}"
                yield index, output.read_text(errors="replace")
                output.unlink()
                continue
            for pid, (_, deadline) in running.items():
                if time.monotonic() > deadline:
                    os.kill(pid, signal.SIGKILL)
            time.sleep(0.01)
    finally:
        for pid in running:
            os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)


def _fork(job: Callable[[int], object], index: int, scratch: Path) -> int:
    sys.stdout.flush()
    sys.stderr.flush()
    pid = os.fork()
    if pid:
        return pid
    code = 1
    try:
        output = os.open(scratch / f"output-{index}", os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
        os.dup2(output, 1)
        os.dup2(output, 2)
        job(index)
        code = 0
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)
