"""Step 4, data: drawn batches, and the steps that one process would make of them."""

import math
from collections.abc import Sequence

import torch
from torch import Tensor

from labkit.judge.draw import Draw

Batch = list[list[Tensor]]  # of each rank, inputs and targets


def drawn_batch(draw: Draw, counts: Sequence[int], width: int = 5) -> Batch:
    """Inputs (n, width) and targets (n,) of as many samples as `counts` says for each rank."""
    return [[draw.normal(count, width), draw.away_from_zero(count)] for count in counts]


def spoil(draw: Draw, batch: Batch, rank: int, part: int, parts: int) -> None:
    """Makes one target of a part of a rank's batch infinite, so that its gradient is."""
    targets = batch[rank][1].tensor_split(parts)[part]  # a view
    targets[draw.integer(0, len(targets) - 1)] = math.inf


def gradient(batch: Batch) -> Tensor:
    """float64, of the mean of products times targets over all samples of all ranks, by the weight."""
    samples = sum(len(targets) for _, targets in batch)
    return sum(targets.double() @ inputs.double() for inputs, targets in batch) / samples


def loss(weight: Tensor, spare: Tensor, batch: Batch) -> float:
    """The mean over all samples of all ranks."""
    products = [inputs.double() @ (weight + spare).double() * targets.double() for inputs, targets in batch]
    return torch.cat(products).mean().item()


def stepped(weight: Tensor, batches: Sequence[Batch], lr: float, limit: float | None = None, both: bool = True) -> list:
    """The weight after each step, in float64. `both`: the norm is that of both parameters, which have equal ones."""
    history, now = [], weight.double()
    for batch in batches:
        pushed = gradient(batch)
        norm = pushed.norm().item() * (math.sqrt(2) if both else 1.0)
        if limit is not None and norm > limit:
            pushed = pushed * (limit / norm)
        if math.isfinite(norm):
            now = now - lr * pushed
        history.append(now)
    return history


def norms(batches: Sequence[Batch]) -> list[float]:
    """Of each step's gradient by both parameters."""
    return [gradient(batch).norm().item() * math.sqrt(2) for batch in batches]
