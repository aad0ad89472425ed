"""The cores of this machine, and the end of processes."""

import ctypes
import os
import signal
import sys
import threading
import time
from contextlib import suppress

PR_SET_PDEATHSIG = 1  # <linux/prctl.h>


def usable_cores() -> int:
    """The cores that this process may run on, as far as the system says."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def kill_group(pid: int) -> None:
    """Ends the process group that `pid` heads, now."""
    with suppress(ProcessLookupError, PermissionError):  # it has ended; macOS says the latter then
        os.killpg(pid, signal.SIGKILL)


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
