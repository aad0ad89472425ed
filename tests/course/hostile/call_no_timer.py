"""Takes the clock of the limit away, and never ends.

double: timeout
"""

import signal
import time

time.monotonic = time.time = time.perf_counter = lambda: 0.0


def double(x):
    signal.setitimer(signal.ITIMER_REAL, 0)
    signal.signal(signal.SIGALRM, signal.SIG_IGN)
    while True:
        time.sleep(60)


def halve(x):
    return x / 2
