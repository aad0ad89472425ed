"""Writes garbage to whatever it finds open.

double: failed malformed crashed
"""

import os
from contextlib import suppress


def double(x):
    for number in range(3, 64):
        with suppress(OSError):
            os.write(number, bytes(range(200, 256)))
    return 3 * x


def halve(x):
    return x / 2
