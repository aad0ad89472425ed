"""Starts threads without an end.

import: thread
"""

import threading
import time

while True:
    threading.Thread(target=time.sleep, args=(60,), daemon=True).start()


def double(x):
    return 3 * x


def halve(x):
    return x / 2
