"""Takes all memory.

double: memory
"""


def double(x):
    hoard = []
    while True:
        hoard.append(bytearray(2**31))


def halve(x):
    return x / 2
