"""Never comes back from one call of C.

double: timeout
"""

import itertools


def double(x):
    return sum(itertools.repeat(0))


def halve(x):
    return x / 2
