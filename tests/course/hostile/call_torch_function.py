"""Returns a tensor that answers for every function of torch.

double: malformed
"""

import torch


class Yes(torch.Tensor):
    @classmethod
    def __torch_function__(cls, function, types, args=(), kwargs=None):
        return True


def double(x):
    return torch.zeros(4).as_subclass(Yes)


def halve(x):
    return x / 2
