"""What the hidden tests make a submission do. A submission can read this file: it holds no expected value."""

import torch
from torch import Tensor

from labkit.observe import Submission


def masked_softmax(lab: Submission, x: Tensor, masked: list[bool]) -> Tensor:
    """`fp32_softmax` of `x`, of which the columns that are `masked` are -inf."""
    return lab.fp32_softmax(x.masked_fill(torch.tensor(masked), -torch.inf))
