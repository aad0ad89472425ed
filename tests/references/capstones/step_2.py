"""Drawn inputs of step 2, a training step, and plain formulas of what is right."""

import itertools

import torch
from torch import Tensor

from labkit.judge.draw import Draw

TOKENS = 9  # of source and target; 0 is padding, and a source begins with 3 plus an index of the scenario's SPOILS


def mean_loss(logits: Tensor, targets: Tensor, pad: int) -> Tensor:
    """float64, the mean over the tokens that are not `pad`."""
    real = targets != pad
    return -logits.double().log_softmax(dim=-1)[real].gather(-1, targets[real][:, None]).mean()


def drawn_targets(draw: Draw, pad: int, vocabulary: int) -> Tensor:
    """(N, T), each row with pads on the right, and as many as no other row; the pad is nowhere else.

    One row has no pads. Where 0 is not the pad, that row has a 0, which is a token then.
    """
    length, rows = draw.integer(5, 7), draw.integer(3, 4)
    others = [token for token in range(vocabulary) if token != pad]
    targets = torch.tensor(others)[draw.integers(rows, length, high=len(others))]
    for row, count in zip(targets, draw.shuffled([0, *draw.shuffled(range(1, length))[: rows - 1]]), strict=True):
        row[length - count :] = pad
        if count == 0 and pad != 0:
            row[draw.integer(0, length - 1)] = 0
    return targets


def drawn_weights(draw: Draw) -> list[Tensor]:
    """Of the scenario's Bigram: source and target embedding, the last layer, and a parameter that takes no part."""
    return [draw.normal(TOKENS, 4), draw.normal(TOKENS, 4), draw.normal(4, TOKENS), draw.normal(2)]


def drawn_batches(draw: Draw, spoils: list[int]) -> list[list[Tensor]]:
    """Source and target of each batch; `spoils`: the index in the scenario's SPOILS of what its gradients get."""
    batches = []
    for spoil in spoils:
        target = drawn_targets(draw, 0, TOKENS)
        target[:, 0] = 1
        source = draw.integers(len(target), draw.integer(2, 4), low=3, high=TOKENS)
        source[0, 0] = 3 + spoil
        batches.append([source, target])
    return batches


def drawn_overflows(draw: Draw, count: int) -> list[int]:
    """For each batch 0, or an index of SPOILS for one with an inf or nan: each of them is there, and the last is 0."""
    kinds = itertools.cycle(draw.shuffled((1, 2, 3)))
    bad = [True] * draw.integer(3, count - 2)
    return [*(next(kinds) if one else 0 for one in draw.shuffled([*bad, *[False] * (count - 1 - len(bad))])), 0]


class Run:
    """SGD over batches: after each, weights and rate; its loss, its norm, and whether it was a step."""

    def __init__(
        self,
        weights: list[Tensor],
        batches: list,
        rates: list[float],
        limit: float = 1e9,
        momentum: float = 0.0,
        weight_decay: float = 0.0,
    ) -> None:
        now = [weight.double() for weight in weights]
        speed = [torch.zeros_like(weight) for weight in now]
        self.weights, self.rates, self.losses, self.norms, self.stepped = [], [], [], [], []
        for source, target in batches:
            leaves = [weight.clone().requires_grad_() for weight in now[:3]]
            hidden = torch.tanh(leaves[1][target[:, :-1]] + leaves[0][source].mean(dim=1, keepdim=True))
            loss = mean_loss(hidden @ leaves[2], target[:, 1:], 0)
            gradients = [*torch.autograd.grad(loss, leaves), torch.zeros_like(now[3])]
            norm = torch.cat([gradient.flatten() for gradient in gradients]).norm().item()
            is_step = int(source[0, 0]) == 3
            if is_step:
                rate = rates[sum(self.stepped)]
                scale = min(1.0, limit / norm)
                decay = [weight_decay * leaf.detach() for leaf in leaves] + [torch.zeros_like(now[3])]
                speed = [momentum * v + scale * g + d for v, g, d in zip(speed, gradients, decay, strict=True)]
                now = [weight - rate * v for weight, v in zip(now, speed, strict=True)]
            self.stepped.append(is_step)
            self.weights.append(now)
            self.rates.append(rates[sum(self.stepped)])
            self.losses.append(loss.item())
            self.norms.append(norm)


def scales(stepped: list[bool], init: float, interval: int) -> list[float]:
    """The loss scale after each call: half after an overflow, twice after `interval` steps in a row."""
    seen, row = [], 0
    for good in stepped:
        row = row + 1 if good else 0
        init = init / 2 if not good else init * 2 if row == interval else init
        row %= interval
        seen.append(init)
    return seen
