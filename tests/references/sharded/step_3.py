"""Step 3 of Lab 03: drawn structures of square layers, and how one process trains them, in float64."""

from collections.abc import Sequence

import torch
from torch import Tensor

from labkit.judge.draw import Draw


def drawn_tensors(draw: Draw, layers: int, width: int, scale: bool) -> list[Tensor]:
    """A weight and a bias for each layer, and a scale."""
    made: list[Tensor] = []
    for _ in range(layers):
        made += [draw.normal(width, width, scale=0.5), draw.away_from_zero(width, low=0.1, high=0.5)]
    return [*made, draw.away_from_zero(width)] if scale else made


def outputs_of(tensors: Sequence[Tensor], structure: dict, x: Tensor) -> Tensor:
    x = x.double()
    if structure.get("scale") is not None:
        x = x * tensors[structure["scale"]]
    for part in structure["order"]:
        for weight, bias in structure["parts"][part]:
            shift = 0.0 if bias in structure.get("unused", ()) else tensors[bias]
            x = torch.tanh(x @ tensors[weight].T + shift)
    return x


def trained(tensors: Sequence[Tensor], structure: dict, steps: list, lr: float, decay: float) -> list[list[Tensor]]:
    """The tensors after each step of SGD with weight decay, which leaves frozen ones alone; float64."""
    now, history = [one.double() for one in tensors], []
    frozen = structure.get("frozen") or ()
    for ranks in steps:
        leaves = [one.clone().requires_grad_() for one in now]
        loss = sum((outputs_of(leaves, structure, x) - y).square().sum() for batches in ranks for x, y in batches)
        found = torch.autograd.grad(loss / len(ranks), leaves, allow_unused=True)
        gradients = [torch.zeros_like(one) if grad is None else grad for one, grad in zip(now, found, strict=True)]
        now = [
            one if index in frozen else one - lr * (gradient + decay * one)
            for index, (one, gradient) in enumerate(zip(now, gradients, strict=True))
        ]
        history.append(now)
    return history
