"""Returns the right numbers in another dtype.

double: failed
"""


def double(x):
    return (2 * x).double()


def halve(x):
    return x / 2
