"""Returns a list that has too many items.

double: malformed
"""


def double(x):
    return [0.0] * 10**6


def halve(x):
    return x / 2
