"""Opens files without an end.

import:
"""

import os

hoard = []
while True:
    hoard.append(os.open("/dev/null", os.O_RDONLY))


def double(x):
    return 3 * x


def halve(x):
    return x / 2
