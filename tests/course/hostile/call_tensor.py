"""Asks for a tensor larger than any memory.

double: failed
"""

import torch


def double(x):
    return torch.empty(2**42)


def halve(x):
    return x / 2
