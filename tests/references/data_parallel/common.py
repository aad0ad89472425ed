"""What the references of several steps of Lab 02 share: drawn gradients, and the plain formulas of what is right."""

from collections.abc import Sequence

import torch
from torch import Tensor

from labkit.judge.draw import Draw
from labkit.judge.expect import Tolerance, expect

EXACT = Tolerance("nothing is rounded on the way", atol=0.0)
FLOAT32 = Tolerance("a few float32 roundings of numbers below 4", rtol=1e-6, atol=2e-6)
FLOAT64 = Tolerance("a few float64 roundings of numbers below 4", atol=1e-14)
# Positive entries: no partial sum is larger than the whole. A cast of each, and a sum of four in any order.
BFLOAT16 = Tolerance("bfloat16 rounds what is sent, and each sum", rtol=4 * 2.0**-8)

Gradients = Sequence[Tensor | None]


def drawn_shapes(draw: Draw, count: int) -> list[tuple[int, ...]]:
    """Shapes of different sizes, so that no two parameters can be taken for each other; one is a vector."""
    sizes = draw.shuffled(range(2, 2 + count))
    return [(size,) if i == 1 else (size, draw.integer(2, 4)) for i, size in enumerate(sizes)]


def drawn(draw: Draw, shapes: Sequence[tuple[int, ...]], dtype: torch.dtype = torch.float32) -> list[Tensor]:
    values = [draw.normal(*shape, dtype=dtype) for shape in shapes]
    return [value / 3 for value in values] if dtype == torch.float64 else values  # with digits that float32 lacks


def drawn_positive(draw: Draw, shapes: Sequence[tuple[int, ...]], dtype: torch.dtype = torch.float32) -> list[Tensor]:
    return [draw.away_from_zero(*shape).abs().to(dtype) for shape in shapes]


def means(of_ranks: Sequence[Gradients]) -> list[Tensor | None]:
    """float64, the mean of each gradient over the ranks; a rank without one counts as zeros; None if all lack it."""
    found: list[Tensor | None] = []
    for gradients in zip(*of_ranks, strict=True):
        some = [gradient.double() for gradient in gradients if gradient is not None]
        found.append(sum(some) / len(of_ranks) if some else None)
    return found


def expect_gradients(
    seen: list,
    expected: Gradients,
    like: Sequence[Tensor],
    what: str,
    why: str,
    tolerance: Tolerance = FLOAT32,
    frozen: Sequence[int] = (),
) -> None:
    """Gradients in the dtypes of `like`; none of those in `frozen`, and zeros where no rank has one."""
    expect(len(seen), f"{what}: number of gradients").equals(len(expected), "a gradient, or None, of each parameter")
    for index, (one, mean, parameter) in enumerate(zip(seen, expected, like, strict=True)):
        name = f"{what}: gradient of parameter {index}"
        if index in frozen:
            expect(one, name).equals(None, "a parameter that requires no gradient is left alone")
        elif mean is None:
            expect(one, name).close_to(torch.zeros_like(parameter), EXACT, "no rank has one: None or zeros")
        else:
            expect(one, name).close_to(mean.to(torch.float64), tolerance, why, parameter.dtype)
