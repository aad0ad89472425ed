"""Says that the time is over.

double: timeout
"""

from labkit.observe.deadline import OutOfTime


def double(x):
    raise OutOfTime(0.0)


def halve(x):
    return x / 2
