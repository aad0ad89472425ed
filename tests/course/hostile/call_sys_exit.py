"""Leaves with success when it is asked.

double: failed
"""

import sys


def double(x):
    sys.exit(0)


def halve(x):
    return x / 2
