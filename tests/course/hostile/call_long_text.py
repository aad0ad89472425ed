"""Returns too much text.

double: malformed
"""


def double(x):
    return "x" * 2**22


def halve(x):
    return x / 2
