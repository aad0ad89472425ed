"""Closes whatever it finds open.

import: ended Python itself
"""

import os
import time

os.closerange(0, 256)
time.sleep(60)


def double(x):
    return 3 * x


def halve(x):
    return x / 2
