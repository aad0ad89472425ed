"""Drawn inputs of step 1, sequences, and plain formulas of what is right."""

import torch
from torch import Tensor

from labkit.judge.draw import Draw

UNITS = ["", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine"]
TEENS = ["ten", "eleven", "twelve", "thirteen", "fourteen", "fifteen", "sixteen", "seventeen", "eighteen", "nineteen"]
TENS = ["", "", "twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety"]


def spelled(number: int) -> list[str]:
    """The words of a number from 0 to 9999, digit by digit."""
    thousands, hundreds, tens, units = map(int, f"{number:04d}")
    parts = [
        [UNITS[thousands], "thousand"] if thousands else [],
        [UNITS[hundreds], "hundred"] if hundreds else [],
        [TEENS[units]] if tens == 1 else [TENS[tens], UNITS[units]],
    ]
    return [word for part in parts for word in part if word] or ["zero"]


def drawn_sequences(draw: Draw, count: int) -> list[list[int]]:
    """Sequences of 1 to 6 tokens, at least two of them of different length."""
    lengths = draw.shuffled([1, 6, *(draw.integer(1, 6) for _ in range(count - 2))])
    return [draw.integers(length, low=3, high=90).tolist() for length in lengths]


def padded(sequences: list[list[int]], value: int) -> Tensor:
    rows = torch.full((len(sequences), max(map(len, sequences))), value)
    for row, sequence in zip(rows, sequences, strict=True):
        row[: len(sequence)] = torch.tensor(sequence)
    return rows


def rate(step: int, d_model: int, warmup: int, factor: float) -> float:
    """Noam's rate as its two branches: up to the warmup in a line, then with 1 / sqrt(step)."""
    peak = factor / (d_model * warmup) ** 0.5
    return peak * step / warmup if step < warmup else peak * (warmup / step) ** 0.5


def drawn_sizes(draw: Draw, **sizes: int) -> dict[str, int]:
    """Sizes of a small model, with two vocabularies that differ."""
    heads = draw.integer(1, 3)
    source, target = draw.shuffled(range(11, 30))[:2]
    drawn = {"source_tokens": source, "target_tokens": target, "d_model": heads * draw.integer(4, 6), "heads": heads}
    return drawn | {"layers": 1, "feedforward": draw.integer(8, 16), "max_length": draw.integer(10, 14)} | sizes


def drawn_tokens(draw: Draw, vocabulary: int, *shape: int) -> Tensor:
    """Tokens without pads; neighbours in a row differ."""
    steps = draw.integers(*shape, low=1, high=vocabulary - 3)
    return 3 + steps.cumsum(dim=-1) % (vocabulary - 3)


def other_token(draw: Draw, token: int, vocabulary: int) -> int:
    """Another token than this one, and no pad."""
    return 3 + (token - 3 + draw.integer(1, vocabulary - 4)) % (vocabulary - 3)
