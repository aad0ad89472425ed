"""Returns a shape that would broadcast.

double: failed
"""


def double(x):
    return (2 * x).unsqueeze(0).expand(3, -1)


def halve(x):
    return x / 2
