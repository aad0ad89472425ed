"""Never ends.

double: timeout
"""


def double(x):
    while True:
        x = x + 0


def halve(x):
    return x / 2
