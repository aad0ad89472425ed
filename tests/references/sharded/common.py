"""Lab 03: drawn networks and batches, and how one process trains them on the batches of all ranks, in float64."""

import itertools
from collections.abc import Sequence

import torch
from torch import Tensor

from labkit.judge.draw import Draw


def drawn_sizes(draw: Draw, layers: int = 3, ranks: int = 2, least: int = 3) -> list[int]:
    """Widths of a network: `ranks` divides neither all its parameters together nor those of its first layer."""
    while True:
        sizes = [draw.integer(least, least + 4) for _ in range(layers + 1)]
        counts = [(one + 1) * other for one, other in itertools.pairwise(sizes)]
        if counts[0] % ranks and sum(counts) % ranks:
            return sizes


def drawn_state(draw: Draw, sizes: Sequence[int]) -> list[list[Tensor]]:
    """A weight and a bias for each layer."""
    pairs = itertools.pairwise(sizes)
    return [[draw.normal(other, one, scale=0.6), draw.away_from_zero(other, low=0.1, high=0.5)] for one, other in pairs]


def drawn_steps(draw: Draw, sizes: Sequence[int], steps: int, ranks: int = 2, micro_batches: int = 1) -> list:
    """`[step][rank][micro-batch]` is an input and a target, of one to three rows: ranks differ in how many."""
    return [
        [
            [
                [draw.normal(rows, sizes[0]), draw.normal(rows, sizes[-1])]
                for rows in [draw.integer(1, 3) for _ in range(micro_batches)]
            ]
            for _ in range(ranks)
        ]
        for _ in range(steps)
    ]


def outputs_of(weights: Sequence[Tensor], x: Tensor) -> Tensor:
    """float64; `weights` has weight, bias, weight, bias, and so on."""
    x = x.double()
    for index in range(0, len(weights), 2):
        x = x @ weights[index].T + weights[index + 1]
        x = torch.tanh(x) if index + 2 < len(weights) else x
    return x


def gradients_of(weights: Sequence[Tensor], ranks: list) -> list[Tensor]:
    """The mean over the ranks of the gradients of their summed squared errors, over all their micro-batches."""
    leaves = [weight.clone().requires_grad_() for weight in weights]
    loss = sum((outputs_of(leaves, x) - y).square().sum() for batches in ranks for x, y in batches)
    return list(torch.autograd.grad(loss / len(ranks), leaves))


class Sgd:
    """In float64, with momentum."""

    def __init__(self, lr: float, momentum: float = 0.0) -> None:
        self.lr, self.momentum = lr, momentum
        self.velocities: list[Tensor] = []

    def step(self, weights: list[Tensor], gradients: list[Tensor]) -> list[Tensor]:
        before = self.velocities or [torch.zeros_like(one) for one in gradients]
        self.velocities = [self.momentum * v + gradient for v, gradient in zip(before, gradients, strict=True)]
        return [weight - self.lr * v for weight, v in zip(weights, self.velocities, strict=True)]


class AdamW:
    """In float64. Source: arXiv 1711.05101, algorithm 2."""

    def __init__(self, lr: float, weight_decay: float = 0.0, betas: Sequence[float] = (0.9, 0.999)) -> None:
        self.lr, self.decay, self.betas = lr, weight_decay, betas
        self.first: list[Tensor] = []
        self.second: list[Tensor] = []
        self.count = 0

    def step(self, weights: list[Tensor], gradients: list[Tensor]) -> list[Tensor]:
        zeros = [torch.zeros_like(one) for one in gradients]
        pairs = list(zip(self.first or zeros, self.second or zeros, gradients, strict=True))
        beta1, beta2 = self.betas
        self.first = [beta1 * m + (1 - beta1) * g for m, _, g in pairs]
        self.second = [beta2 * v + (1 - beta2) * g * g for _, v, g in pairs]
        self.count += 1
        made = []
        for weight, m, v in zip(weights, self.first, self.second, strict=True):
            mean, root = m / (1 - beta1**self.count), (v / (1 - beta2**self.count)).sqrt()
            made.append(weight * (1 - self.lr * self.decay) - self.lr * mean / (root + 1e-8))
        return made


def optimizer_of(name: str, settings: dict) -> Sgd | AdamW:
    return {"sgd": Sgd, "adamw": AdamW}[name](**settings)


def trained(state: list, steps: list, optimizer: Sgd | AdamW) -> list[list[Tensor]]:
    """The weights of one process after each step, in the order weight, bias, weight, bias."""
    weights, history = [tensor.double() for pair in state for tensor in pair], []
    for ranks in steps:
        weights = optimizer.step(weights, gradients_of(weights, ranks))
        history.append(weights)
    return history
