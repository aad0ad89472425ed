"""Step 1 of Lab 03: drawn tensors, and shards by their definition, element by element."""

import math

import torch
from torch import Tensor

from labkit.judge.draw import Draw

DTYPES = (torch.float32, torch.float64, torch.bfloat16, torch.int64, torch.bool, torch.complex64)
WIDE = (torch.float64, torch.int64)  # whose values float32 rounds


def drawn_tensor(draw: Draw, numel: int, dtype: torch.dtype = torch.float32) -> Tensor:
    """(rows, numel / rows) values, none of them 0, so that no value is taken for padding."""
    rows = draw.choice([rows for rows in range(1, numel + 1) if numel % rows == 0])
    signs = draw.integers(rows, numel // rows, low=0, high=2) * 2 - 1
    high = 2**60 if dtype in WIDE else 100
    return (draw.integers(rows, numel // rows, low=1, high=high) * signs).to(dtype)


def drawn_dtypes(draw: Draw, count: int) -> list[torch.dtype]:
    """Each of them once, and more if there are not enough."""
    return (draw.shuffled(DTYPES) * count)[:count]


def shards_of(tensor: Tensor, ranks: int) -> list[Tensor]:
    """Of each rank."""
    values = tensor.reshape(-1).tolist()
    size = math.ceil(len(values) / ranks)
    padded = values + [0] * (size * ranks - len(values))
    return [torch.tensor(padded[rank * size : (rank + 1) * size], dtype=tensor.dtype) for rank in range(ranks)]


def sizes_and_ranks(draw: Draw) -> list[tuple[int, int]]:
    """Pairs that divide, that do not, one rank, and more ranks than elements, of which some have zeros alone."""
    ranks = draw.integer(2, 5)
    return [
        (ranks * draw.integer(2, 6), ranks),
        (ranks * draw.integer(2, 6) + draw.integer(1, ranks - 1), ranks),
        (ranks * draw.integer(2, 6) + 1, ranks),
        (draw.integer(5, 20), 1),
        (draw.integer(1, 3), draw.integer(4, 6)),
        (9, 7),
        (1, 3),
    ]
