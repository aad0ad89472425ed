"""Returns what compares with nothing.

double: failed
"""

import torch


def double(x):
    return torch.full_like(x, float("nan"))


def halve(x):
    return x / 2
