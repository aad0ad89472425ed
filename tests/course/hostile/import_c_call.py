"""Never comes back from one call of C.

import: no answer within
"""

import itertools

sum(itertools.repeat(0))


def double(x):
    return 3 * x


def halve(x):
    return x / 2
