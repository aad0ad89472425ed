"""Stops its process.

double: timeout
"""

import os
import signal


def double(x):
    os.kill(os.getpid(), signal.SIGSTOP)


def halve(x):
    return x / 2
