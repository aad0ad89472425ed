"""Blocks every signal, and sleeps.

double: timeout
"""

import signal
import time


def double(x):
    signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())
    while True:
        time.sleep(60)


def halve(x):
    return x / 2
