"""Step 2, buckets: which parameters go together, and what they weigh."""

import math
from collections.abc import Sequence

import torch


def sizes(shapes: Sequence[tuple[int, ...]], dtypes: Sequence[torch.dtype]) -> list[int]:
    """Bytes of parameters of these shapes and dtypes."""
    return [math.prod(shape) * dtype.itemsize for shape, dtype in zip(shapes, dtypes, strict=True)]


def buckets(weights: Sequence[int], kinds: Sequence[object], cap: int) -> list[list[int]]:
    """Indices from the last to the first; a bucket ends before the one that is of another kind or would overfill it."""
    found: list[list[int]] = []
    for index in range(len(weights) - 1, -1, -1):
        newest = found[-1] if found else []
        same = bool(newest) and kinds[newest[0]] == kinds[index]
        if same and sum(weights[one] for one in newest) + weights[index] <= cap:
            newest.append(index)
        else:
            found.append([index])
    return found
