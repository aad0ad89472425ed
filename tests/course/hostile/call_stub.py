"""Says that the step is still to do, so that nothing is wrong.

double: todo
"""


def double(x):
    raise NotImplementedError("Step 1: double")


def halve(x):
    return x / 2
