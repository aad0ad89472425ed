"""What the references of several steps of Lab 06 share."""

import itertools
import math
from collections.abc import Sequence

import torch
from torch import Tensor

from labkit.judge.draw import Draw

INF, NAN = math.inf, math.nan
HALVES = (torch.float16, torch.bfloat16)


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
