"""Drawn inputs of the graded suite of Lab 06, and what a right answer makes of them, by plain formulas."""

import itertools
import math
from collections.abc import Sequence

import torch
from torch import Tensor

from labkit.judge.draw import Draw

INF, NAN = math.inf, math.nan

# Steps 1 and 2


def sgd(
    weight: Tensor, gradients: Sequence[Tensor | None], lr: float = 1.0, momentum: float = 0.0, decay: float = 0.0
) -> list[Tensor]:
    """The weight after every step of SGD, in float64; where the gradient is None, no step is made."""
    history, now, velocity = [], weight.double(), torch.zeros_like(weight, dtype=torch.float64)
    for gradient in gradients:
        if gradient is not None:
            velocity = momentum * velocity + gradient.double() + decay * now
            now = now - lr * velocity
        history.append(now)
    return history


def spoil(draw: Draw, gradients: list[list[Tensor]], pattern: list[bool]) -> None:
    """Puts one inf, -inf or nan into the gradients of each step of the pattern, at a drawn place."""
    kinds = itertools.cycle(draw.shuffled((INF, -INF, NAN)))  # three bad steps have them all
    for step, bad in zip(gradients, pattern, strict=True):
        if bad:
            flat = draw.choice(step).view(-1)
            flat[draw.integer(0, len(flat) - 1)] = next(kinds)


# Step 1: loss scalers


def drawn_weights(draw: Draw) -> list[Tensor]:
    return [draw.normal(4), draw.normal(2, 3), draw.normal(1)]


def drawn_gradients(draw: Draw, norm: float = 3.0) -> list[Tensor]:
    """Gradients of `drawn_weights` that together have this 2-norm."""
    flat = draw.vector(11, norm)
    return [flat[:4], flat[4:10].reshape(2, 3), flat[10:]]


def scales_after(
    overflows: list[bool],
    init: float = 65536.0,
    growth: float = 2.0,
    backoff: float = 0.5,
    interval: int = 2000,
    hysteresis: int = 1,
    floor: float = 2.0**-126,
) -> list[float]:
    """The loss scale after every iteration, where `overflows` says which of them had one."""
    scales, scale, good, left = [], init, 0, hysteresis
    for overflow in overflows:
        if overflow:
            good, left = 0, max(left - 1, 0)
            scale = scale if left else max(scale * backoff, floor)
        else:
            good += 1
            if good == interval:
                good, left = 0, hysteresis
                scale = scale * growth if scale * growth < 2.0**128 else scale
        scales.append(scale)
    return scales


def runs(draw: Draw, count: int, bad: int, good: int) -> list[bool]:
    """`count` iterations in runs: of up to `bad` overflows, then of up to `good` iterations without one."""
    pattern: list[bool] = []
    while len(pattern) < count:
        pattern += [True] * draw.integer(1, bad) + [False] * draw.integer(1, good)
    return pattern[:count]


# Step 2: master weights


def drawn_halves(draw: Draw, shapes: list[tuple[int, ...]], dtype: torch.dtype) -> list[Tensor]:
    return [draw.normal(*shape).to(dtype) for shape in shapes]


def followed(weights: list[Tensor], gradients: list, settings: dict[str, float]) -> list[list[Tensor]]:
    """The masters after every step, in float64; `gradients[step][parameter]` are true, and None where none is made."""
    lr, momentum, decay = (settings.get(name, 0.0) for name in ("lr", "momentum", "weight_decay"))
    each = [
        sgd(weight, [step[index] for step in gradients], lr, momentum, decay) for index, weight in enumerate(weights)
    ]
    return [list(of_step) for of_step in zip(*each, strict=True)]


def clipped(gradients: list, scale: float, limit: float) -> list:
    """The true gradients in float64, shortened to the limit if they are longer; None stays None."""
    true = [None if gradient is None else gradient.double() / scale for gradient in gradients]
    flat = [gradient.view(-1) for gradient in true if gradient is not None]
    norm = torch.cat(flat).norm().item() if flat else 0.0
    return [gradient if gradient is None or norm <= limit else gradient * (limit / norm) for gradient in true]
