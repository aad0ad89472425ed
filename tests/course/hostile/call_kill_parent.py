"""Kills the process that started it.

double: crashed failed
"""

import os
import signal


def double(x):
    os.kill(os.getppid(), signal.SIGKILL)
    return 3 * x


def halve(x):
    return x / 2
