"""The cores of this machine, and the end of processes."""

import os
import signal
import threading
import time
from contextlib import suppress


def usable_cores() -> int:
    """The cores that this process may run on, as far as the system says."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def kill_group(pid: int) -> None:
    """Ends the process group that `pid` heads, now."""
    with suppress(ProcessLookupError, PermissionError):  # it has ended; macOS says the latter then
        os.killpg(pid, signal.SIGKILL)


def end_with(parent: int) -> None:
    """Ends this process, whatever it does, once `parent` is not its parent any more: killed, it ends nobody itself."""

    def look() -> None:
        while os.getppid() == parent:
            time.sleep(0.5)
        os._exit(1)

    threading.Thread(target=look, daemon=True).start()
