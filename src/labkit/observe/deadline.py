"""A limit on what Python code does in this process; C code that does not return is ended from outside."""

import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager

DEBUGGERS = ("pydevd", "debugpy")  # modules that are there while an editor's debugger is


class OutOfTime(BaseException):
    """The seconds of `limited` are over. No Exception: code that catches those must not catch it."""

    def __init__(self, seconds: float) -> None:
        super().__init__(f"no answer within {seconds:g} s")
        self.seconds = seconds


def debugging() -> bool:
    """Whether a debugger holds this process: someone thinks in front of it, and no deadline is wanted."""
    return sys.gettrace() is not None or any(name in sys.modules for name in DEBUGGERS)


@contextmanager
def limited(seconds: float) -> Iterator[None]:
    """Raises `OutOfTime` after `seconds`, wherever the main thread's Python code then is."""
    main = threading.current_thread() is threading.main_thread()
    if not main or not hasattr(signal, "setitimer") or debugging():
        yield
        return

    def ring(*_: object) -> None:
        raise OutOfTime(seconds)

    before = signal.signal(signal.SIGALRM, ring)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
