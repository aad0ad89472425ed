"""Returns no dimension.

double: failed
"""


def double(x):
    return (2 * x).sum()


def halve(x):
    return x / 2
