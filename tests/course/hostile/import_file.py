"""Writes a file without an end.

import:
"""

with open("full", "wb") as full:
    while True:
        full.write(bytes(2**20))


def double(x):
    return 3 * x


def halve(x):
    return x / 2
