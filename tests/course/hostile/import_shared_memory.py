"""Takes all memory in a way that is no data.

import: memory
"""

import mmap

hoard = []
while True:
    hoard.append(mmap.mmap(-1, 2**30))


def double(x):
    return 3 * x


def halve(x):
    return x / 2
