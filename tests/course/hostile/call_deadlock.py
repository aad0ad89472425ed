"""Waits for itself.

double: timeout
"""

import threading


def double(x):
    lock = threading.Lock()
    lock.acquire()
    lock.acquire()


def halve(x):
    return x / 2
