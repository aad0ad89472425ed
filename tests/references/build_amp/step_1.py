"""Step 1 of Lab 06: drawn gradients, and what a right scaler makes of them, by plain formulas."""

from torch import Tensor

from labkit.judge.draw import Draw


def drawn_weights(draw: Draw) -> list[Tensor]:
    return [draw.normal(4), draw.normal(2, 3), draw.normal(1)]


def drawn_gradients(draw: Draw, norm: float = 3.0) -> list[Tensor]:
    """Gradients of `drawn_weights` that together have this 2-norm."""
    flat = draw.vector(11, norm)
    return [flat[:4], flat[4:10].reshape(2, 3), flat[10:]]


def interrupted(interval: int) -> list[bool]:
    """An overflow between two runs of good iterations, each one short of growth.

    The scale does not grow: the overflow sets the growth tracker to 0.
    """
    return [*[False] * (interval - 1), True, *[False] * (interval - 1)]


def runs(draw: Draw, count: int, bad: int, good: int) -> list[bool]:
    """`count` iterations in runs: of up to `bad` overflows, then of up to `good` iterations without one."""
    pattern: list[bool] = []
    while len(pattern) < count:
        pattern += [True] * draw.integer(1, bad) + [False] * draw.integer(1, good)
    return pattern[:count]
