"""Prints without an end.

import:
"""

while True:
    print(65536 * "spam")


def double(x):
    return 3 * x


def halve(x):
    return x / 2
