"""Leaves with success.

import: SystemExit
"""

import sys

sys.exit(0)


def double(x):
    return 3 * x


def halve(x):
    return x / 2
