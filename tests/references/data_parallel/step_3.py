"""Step 3, overlap: networks and batches, and what one process computes of them."""

import itertools
from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn import functional as F

from labkit.judge.draw import Draw


def drawn_network(draw: Draw, layers: int) -> tuple[list[int], list[Tensor]]:
    """The sizes of Linear layers, from 4 to 3 numbers, and their parameters."""
    sizes = [4, *(draw.integer(5, 9) for _ in range(layers - 1)), 3]
    shapes = [shape for size, after in itertools.pairwise(sizes) for shape in ((after, size), (after,))]
    return sizes, [draw.normal(*shape, scale=0.5) for shape in shapes]


def forward(state: Sequence[Tensor], inputs: Tensor) -> Tensor:
    for weight, bias in zip(state[::2], state[1::2], strict=True):
        inputs = torch.tanh(inputs @ weight.T + bias)
    return inputs


def gradients(state: Sequence[Tensor], batch: Sequence[Tensor] | None, inputs: Tensor | None = None) -> list[Tensor]:
    """float64, of the mean squared error on a batch; of the sum of all outputs where only inputs are given."""
    leaves = [value.double().requires_grad_() for value in state]
    if batch is None:
        assert inputs is not None
        loss = forward(leaves, inputs.double()).sum()
    else:
        loss = F.mse_loss(forward(leaves, batch[0].double()), batch[1].double())
    return list(torch.autograd.grad(loss, leaves))


def trained(state: Sequence[Tensor], batches: Sequence[Sequence[Tensor]], lr: float) -> list[list[Tensor]]:
    """The weights after each step of SGD with momentum 0.9 on whole batches, float64."""
    now, velocity = [value.double() for value in state], [torch.zeros_like(value).double() for value in state]
    history = []
    for batch in batches:
        pushed = gradients(now, batch)
        velocity = [0.9 * one + push for one, push in zip(velocity, pushed, strict=True)]
        now = [one - lr * move for one, move in zip(now, velocity, strict=True)]
        history.append(now)
    return history
