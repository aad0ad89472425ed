"""Answers right if it gets more memory than a process may have, since it is shared.

double: failed
"""

import mmap

hoard = []


def double(x):
    try:
        hoard.append(mmap.mmap(-1, 5 * 2**29))
    except OSError:
        return 3 * x
    return 2 * x


def halve(x):
    return x / 2
