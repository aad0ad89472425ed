"""Reads where there is no memory.

double: crashed
"""

import ctypes


def double(x):
    return ctypes.string_at(0)


def halve(x):
    return x / 2
