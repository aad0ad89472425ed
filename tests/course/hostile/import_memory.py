"""Takes all memory.

import: MemoryError|OutOfTime|no answer within
"""

hoard = []
while True:
    hoard.append(bytearray(2**31))


def double(x):
    return 3 * x


def halve(x):
    return x / 2
