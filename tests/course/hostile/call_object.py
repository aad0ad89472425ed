"""Returns an object that is equal to all.

double: malformed
"""


class Equal:
    def __eq__(self, other):
        return True


def double(x):
    return Equal()


def halve(x):
    return x / 2
