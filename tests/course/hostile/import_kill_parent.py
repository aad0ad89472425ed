"""Kills the process that started it.

import:
"""

import os
import signal

os.kill(os.getppid(), signal.SIGKILL)
raise SystemExit("it could not")


def double(x):
    return 3 * x


def halve(x):
    return x / 2
