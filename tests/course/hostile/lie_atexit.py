"""Would leave with success at the end.

double: failed
"""

import atexit
import os

atexit.register(os._exit, 0)


def double(x):
    return 3 * x


def halve(x):
    return x / 2
