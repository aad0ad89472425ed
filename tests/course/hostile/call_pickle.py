"""Returns an object that runs code where it is read.

double: malformed
"""

import os


class Bomb:
    def __reduce__(self):
        return os.system, ("touch /the/course/exploded",)


def double(x):
    return Bomb()


def halve(x):
    return x / 2
