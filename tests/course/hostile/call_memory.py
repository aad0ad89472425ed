"""Takes all memory.

double: memory
"""


def double(x):
    hoard = []
    while True:
        hoard.append(bytearray(2**28))


def halve(x):
    return x / 2
