"""Returns a tensor without all of its numbers.

double: malformed
"""


def double(x):
    return (2 * x).to_sparse()


def halve(x):
    return x / 2
