"""Ends its own process.

import: ended Python itself (ended by SIGKILL
"""

import os
import signal

os.kill(os.getpid(), signal.SIGKILL)


def double(x):
    return 3 * x


def halve(x):
    return x / 2
