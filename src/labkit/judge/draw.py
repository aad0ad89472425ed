"""The inputs of a graded test, drawn from a seed: other values in every run that is given another seed."""

import hashlib
import random
from collections.abc import Sequence
from typing import TypeVar

import torch
from torch import Tensor

T = TypeVar("T")


class Draw:
    """Draws for one test; the same (seed, test) gives the same draws in the same order, on every machine."""

    def __init__(self, seed: int | str, test: str) -> None:
        digest = hashlib.sha256(f"{seed}/{test}".encode()).digest()
        self.seed = int.from_bytes(digest[:7], "big")
        self._random = random.Random(self.seed)
        self._generator = torch.Generator().manual_seed(self.seed)

    def normal(self, *shape: int, scale: float = 1.0, dtype: torch.dtype = torch.float32) -> Tensor:
        """Normally distributed values with standard deviation `scale`."""
        return (torch.randn(*shape, generator=self._generator) * scale).to(dtype)

    def vector(self, size: int, norm: float) -> Tensor:
        """float32 (size,) in a random direction with this 2-norm."""
        values = self.normal(size)
        return values * (norm / values.norm())

    def away_from_zero(self, *shape: int, low: float = 0.5, high: float = 2.0) -> Tensor:
        """float32 values of either sign, low <= |value| <= high."""
        size = torch.rand(*shape, generator=self._generator) * (high - low) + low
        return size * (torch.randint(0, 2, shape, generator=self._generator) * 2 - 1)

    def integers(self, *shape: int, low: int = 0, high: int) -> Tensor:
        """int64 values, low <= value < high."""
        return torch.randint(low, high, shape, generator=self._generator)

    def integer(self, low: int, high: int) -> int:
        """low <= value <= high."""
        return self._random.randint(low, high)

    def number(self, low: float, high: float) -> float:
        return self._random.uniform(low, high)

    def choice(self, options: Sequence[T]) -> T:
        return self._random.choice(options)

    def shuffled(self, options: Sequence[T]) -> list[T]:
        """All of `options`, in a drawn order."""
        return self._random.sample(options, len(options))

    def pattern(self, size: int, share: float = 0.4) -> list[bool]:
        """`size` bools in a drawn order, about `share` of them True, at least one of each kind."""
        count = min(max(1, round(size * share) + self._random.choice((-1, 0, 1))), size - 1)
        return self.shuffled([True] * count + [False] * (size - count))
