"""The cores of this machine, and the end of processes."""

import ctypes
import os
import signal
import sys
import threading
import time
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

PR_SET_PDEATHSIG, PR_SET_CHILD_SUBREAPER = 1, 36  # <linux/prctl.h>


def usable_cores() -> int:
    """The cores that this process may run on, as far as the system says."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def kill_group(pid: int) -> None:
    """Ends the process group that `pid` heads, now."""
    with suppress(ProcessLookupError, PermissionError):  # it has ended; macOS says the latter then
        os.killpg(pid, signal.SIGKILL)


def children_of(pid: int) -> list[int]:
    """Its children, where the system says so (Linux)."""
    with suppress(OSError):
        return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    return []


def adopt_orphans() -> None:
    """From now on, what a child of this process leaves running becomes a child of this process (Linux)."""
    ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1)


def end_children(kept: Iterable[int]) -> None:
    """Ends all children of this process but those, and what these leave, now."""
    while left := set(children_of(os.getpid())) - set(kept):
        for pid in left:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
            with suppress(ChildProcessError):
                os.waitpid(pid, 0)


def end_with(parent: int, how: int = signal.SIGKILL) -> None:
    """Ends this process once `parent` is gone, whatever it does then; a SIGKILLed parent ends none of its children.

    On Linux the system sends the signal `how`; elsewhere a thread looks, and ends the process at once.
    """
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, how)
        if os.getppid() != parent:  # it was gone before
            os._exit(1)
        return

    def look() -> None:
        while os.getppid() == parent:
            time.sleep(0.5)
        os._exit(1)

    threading.Thread(target=look, daemon=True).start()
