"""Waits for somebody who types.

import: EOFError
"""

answer = input()


def double(x):
    return 3 * x


def halve(x):
    return x / 2
