"""Stops the process that watches it while it is imported, and never ends.

import: no answer within
"""

import contextlib
import os
import signal

with contextlib.suppress(PermissionError):
    os.kill(os.getppid(), signal.SIGSTOP)
while True:
    pass


def double(x):
    return 3 * x


def halve(x):
    return x / 2
