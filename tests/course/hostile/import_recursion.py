"""Calls itself until the stack ends.

import:
"""

import sys

sys.setrecursionlimit(10**9)


def deeper(level):
    return deeper(level + 1) + deeper(level + 2)


deeper(0)


def double(x):
    return 3 * x


def halve(x):
    return x / 2
