"""Drawn inputs of step 5, fine-tuning, and plain formulas of what is right."""

import math
from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn import functional as F

from labkit.judge.draw import Draw

WORDS = 12  # of the scenarios' TinyReader
BETA1, BETA2, EPS = 0.9, 0.999, 1e-8  # of torch.optim.AdamW


def drawn_weights(draw: Draw) -> dict[str, Tensor]:
    """Of the scenarios' TinyReader."""
    return {
        "words.weight": draw.normal(WORDS, 4),
        "layer1.0.weight": draw.normal(5, 4),
        "layer1.0.bias": draw.normal(5),
        "layer1.1.weight": draw.away_from_zero(5, low=0.5, high=1.0),
        "layer1.1.bias": draw.normal(5, scale=0.3),
        "layer10.weight": draw.normal(5, 5, scale=0.5),
        "layer10.bias": draw.normal(5, scale=0.3),
        "pooler.weight": draw.normal(2, 2),
        "pooler.bias": draw.normal(2),
        "head.weight": draw.away_from_zero(3, 5),
        "head.bias": draw.normal(3),
    }


def drawn_batches(draw: Draw, count: int, low: int = 2, high: int = 5) -> list[list[Tensor]]:
    """Tokens (n, length) and labels; the first token of each batch is another one."""
    batches = []
    for first in draw.shuffled(range(WORDS))[:count]:
        tokens = draw.integers(draw.integer(low, high), draw.integer(1, 4), high=WORDS)
        tokens[0, 0] = first
        batches.append([tokens, draw.integers(len(tokens), high=3)])
    return batches


def factor(step: int, warmup: int, total: int) -> float:
    """Of the learning rate: two straight lines."""
    up = (step + 1) / max(warmup, 1)
    down = (total - step) / (total - max(warmup, 1) + 1)
    return max(min(up, down), 0.0)


def reader_logits(tokens: Tensor, state: dict[str, Tensor]) -> Tensor:
    """Of the scenarios' TinyReader, in float64."""
    hidden = state["words.weight"][tokens].mean(dim=1) @ state["layer1.0.weight"].T + state["layer1.0.bias"]
    hidden = F.layer_norm(hidden, (5,), state["layer1.1.weight"], state["layer1.1.bias"]).tanh()
    hidden = (hidden @ state["layer10.weight"].T + state["layer10.bias"]).tanh()
    return hidden @ state["head.weight"].T + state["head.bias"]


class Run:
    """AdamW in float64: the state after training, and loss and norm of the gradients in each step."""

    def __init__(
        self,
        weights: dict[str, Tensor],
        batches: list[list[Tensor]],
        lr: float,
        warmup: int,
        weight_decay: float = 0.01,
        limit: float = 1.0,
        frozen: tuple[str, ...] = (),
        skipped: list[bool] | None = None,
        logits: Callable[[Tensor, dict[str, Tensor]], Tensor] = reader_logits,
    ) -> None:
        """`frozen` are names of parameters, `logits` is the model."""
        state = {name: value.double() for name, value in weights.items()}
        trained = [name for name in state if name not in frozen and not name.startswith("pooler")]
        first, second = ({name: torch.zeros_like(state[name]) for name in trained} for _ in range(2))
        self.losses, self.norms, taken = [], [], 0
        for index, (tokens, labels) in enumerate(batches):
            leaves = {name: state[name].clone().requires_grad_() for name in trained}
            loss = F.cross_entropy(logits(tokens, state | leaves), labels)
            gradients = dict(zip(trained, torch.autograd.grad(loss, list(leaves.values())), strict=True))
            norm = math.sqrt(sum(gradient.square().sum().item() for gradient in gradients.values()))
            self.losses.append(loss.item())
            self.norms.append(norm)
            if skipped and skipped[index]:
                continue
            rate, taken = lr * factor(taken, warmup, len(batches)), taken + 1
            for name, gradient in gradients.items():
                gradient = gradient * min(1.0, limit / norm)
                first[name] = BETA1 * first[name] + (1 - BETA1) * gradient
                second[name] = BETA2 * second[name] + (1 - BETA2) * gradient.square()
                mean, square = first[name] / (1 - BETA1**taken), second[name] / (1 - BETA2**taken)
                decay = weight_decay if state[name].dim() >= 2 else 0.0
                state[name] = state[name] * (1 - rate * decay) - rate * mean / (square.sqrt() + EPS)
        self.state = state
