"""Never ends, and catches whatever should end it.

double: timeout
"""


def double(x):
    while True:
        try:
            while True:
                x = x + 0
        except BaseException:
            continue


def halve(x):
    return x / 2
