"""Never ends.

import: no answer within
"""

while True:
    pass


def double(x):
    return 3 * x


def halve(x):
    return x / 2
