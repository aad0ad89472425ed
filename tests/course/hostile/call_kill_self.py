"""Ends its own process, as the system would if memory is short.

double: memory
"""

import os
import signal


def double(x):
    os.kill(os.getpid(), signal.SIGKILL)


def halve(x):
    return x / 2
