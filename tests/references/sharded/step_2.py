"""Step 2 of Lab 03: drawn parameters and gradients, and what is right by the formulas, in float64."""

import math
from collections.abc import Sequence

import torch
from torch import Tensor

from labkit.judge.draw import Draw
from references.sharded.common import Sgd


def drawn_parameters(draw: Draw, count: int = 4) -> list[Tensor]:
    """Of two dimensions, one and none; an odd number of elements together."""
    while True:
        shapes = [[draw.integer(2, 5) for _ in range((2, 1, 2, 0)[index % 4])] for index in range(count)]
        if sum(math.prod(shape) for shape in shapes) % 2:
            return [draw.away_from_zero(math.prod(shape)).reshape(shape) for shape in shapes]


def drawn_gradients(draw: Draw, parameters: Sequence[Tensor], steps: int) -> list[list[list[Tensor]]]:
    """`[step][rank]` has a gradient for each parameter."""
    return [[[draw.normal(one.numel()).view(one.shape) for one in parameters] for _ in range(2)] for _ in range(steps)]


def stepped(parameters: Sequence[Tensor], steps: list, optimizer: Sgd, frozen: Sequence[bool]) -> list[list[Tensor]]:
    """The parameters after each step, float64; a missing gradient is zero, and a frozen parameter stays."""
    now, history = [one.double() for one in parameters], []
    for ranks in steps:
        gradients = [
            sum(
                (torch.zeros_like(one) if gradient is None else gradient.double())
                for gradient in (rank[index] for rank in ranks)
            ) / len(ranks)
            for index, one in enumerate(now)
        ]  # fmt: skip
        after = optimizer.step(now, gradients)
        now = [one if is_frozen else new for one, new, is_frozen in zip(now, after, frozen, strict=True)]
        history.append(now)
    return history
