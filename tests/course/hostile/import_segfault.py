"""Reads where there is no memory.

import: SIGSEGV
"""

import ctypes

ctypes.string_at(0)


def double(x):
    return 3 * x


def halve(x):
    return x / 2
