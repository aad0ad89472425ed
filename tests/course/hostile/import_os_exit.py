"""Ends Python with success as soon as it is imported.

import: ended Python itself (exit code 0)
"""

import os

os._exit(0)


def double(x):
    return 3 * x


def halve(x):
    return x / 2
