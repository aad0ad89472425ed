"""Step 2 of Lab 06: drawn halves, and what right master weights make of them, by plain formulas."""

import torch
from torch import Tensor

from labkit.judge.draw import Draw
from references.build_amp.common import sgd


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
