"""Answers right if it can write more than its folder may hold, in files of which none is too large.

double: crashed failed
"""

import time
from pathlib import Path

PIECE, PIECES = 32 * 2**20, 12


def double(x):
    for number in range(PIECES):
        Path(f"hoard-{number}").write_bytes(b"1" * PIECE)
    time.sleep(1)
    return 2 * x


def halve(x):
    return x / 2
