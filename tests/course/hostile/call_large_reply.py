"""Returns more than may come back.

double: malformed
"""

import torch


def double(x):
    return torch.zeros(2**26)


def halve(x):
    return x / 2
