"""Never ends, and catches whatever should end it.

import:
"""

while True:
    try:
        while True:
            pass
    except BaseException:
        continue


def double(x):
    return 3 * x


def halve(x):
    return x / 2
