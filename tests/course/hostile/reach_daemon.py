"""Leaves a process that outlives it and ignores every signal.

double: failed, from limits on
"""

import os
import signal
import time


def double(x):
    if not os.fork():
        os.setsid()
        if not os.fork():
            signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())
            while True:
                time.sleep(60)
        os._exit(0)
    return 3 * x


def halve(x):
    return x / 2
