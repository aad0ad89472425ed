"""Raises what has no message but an exit.

double: failed
"""

import sys


class Wrong(Exception):
    def __str__(self):
        return sys.exit(0)


def double(x):
    raise Wrong


def halve(x):
    return x / 2
