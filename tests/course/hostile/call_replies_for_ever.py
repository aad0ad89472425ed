"""Leaves a process that goes on to write replies.

double: failed malformed
"""

import os
import struct
from contextlib import suppress

REPLY = b'[{"ending": "returned", "says": "", "where": "", "printed": ""}, 0.0, null, 0.0]'


def double(x):
    if not os.fork():
        os.setsid()
        while True:
            for number in range(3, 64):
                with suppress(OSError):
                    os.set_blocking(number, False)
                    os.write(number, struct.pack("!Q", len(REPLY)) + REPLY)
    return 3 * x


def halve(x):
    return x / 2
