"""Stops the process that watches it, and never ends.

double: timeout failed
"""

import os
import signal


def double(x):
    os.kill(os.getppid(), signal.SIGSTOP)
    while True:
        x = x + 0


def halve(x):
    return x / 2
