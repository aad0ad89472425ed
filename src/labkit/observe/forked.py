"""Runs many small jobs, each in a process forked from this one, so that none pays for importing torch again."""

import gc
import os
import sys
import time
import traceback
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

from labkit.course.processes import kill_group, usable_cores

TIME_LIMIT = 300.0  # seconds for one job


def run_forked(job: Callable[[int], object], count: int, scratch: Path) -> Iterator[tuple[int, str]]:
    """Runs `job(0)` to `job(count - 1)` on all cores; yields each number with what it printed, as they end.

    This process must only have imported torch, never computed with it: threads do not survive a fork, and a child
    would wait for them for ever. A job that takes longer than `TIME_LIMIT` is killed; whatever it started ends with it.
    """
    workers, waiting, running = usable_cores(), list(range(count)), {}
    gc.freeze()  # a child's garbage collector need not walk through all of torch: half a second a run of pytest
    try:
        while waiting or running:
            while waiting and len(running) < workers:
                index = waiting.pop(0)
                running[_fork(job, index, scratch)] = (index, time.monotonic() + TIME_LIMIT)
            for pid, (index, deadline) in list(running.items()):
                if os.waitpid(pid, os.WNOHANG)[0]:
                    kill_group(pid)  # what the job left behind
                    del running[pid]
                    output = scratch / f"output-{index}"
                    text = output.read_text(errors="replace")
                    output.unlink()
                    yield index, text
                elif time.monotonic() > deadline:
                    kill_group(pid)
            time.sleep(0.01)
    finally:
        gc.unfreeze()
        for pid in running:
            kill_group(pid)
            os.waitpid(pid, 0)


def _fork(job: Callable[[int], object], index: int, scratch: Path) -> int:
    """Starts `job(index)` as the head of a process group of its own; its pid."""
    sys.stdout.flush()
    sys.stderr.flush()
    pid = os.fork()
    if pid:
        with suppress(ProcessLookupError, PermissionError):  # it may have ended already
            os.setpgid(pid, pid)  # here as well as there: whichever comes first
        return pid
    code = 1
    try:
        os.setpgid(0, 0)
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
