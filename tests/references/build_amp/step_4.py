"""Step 4 of Lab 06: drawn windows and images, and what is right by the formulas, in float64."""

import torch
from torch import Tensor

from labkit.judge.draw import Draw


def drawn_weights(draw: Draw) -> list[Tensor]:
    """Of the scenario's Tagger: 3 features, 4 hidden values, 3 classes, and a parameter that takes no part."""
    return [draw.normal(3, 4), draw.normal(4, 3), draw.normal(2)]


def drawn_windows(
    draw: Draw, counts: list[int], spoils: list[int] | None = None, length: int | None = None
) -> list[list[list[Tensor]]]:
    """Windows of so many batches each; in a window all batches differ in size, and in the length of their samples,
    unless `length` is that of all.

    `spoils`: an index of `scenarios.SPOILS` for each window; one of its batches has such a gradient.
    """
    windows = []
    for count, spoil in zip(counts, spoils or [0] * len(counts), strict=True):
        sizes, lengths = (draw.shuffled(range(1, 6))[:count] for _ in range(2))
        lengths = [length] * count if length else lengths
        window = [
            [torch.cat([draw.normal(size, length, 3), torch.zeros(size, length, 1)], dim=-1),
             draw.integers(size, length, high=3)]
            for size, length in zip(sizes, lengths, strict=True)
        ]  # fmt: skip
        draw.choice(window)[0][..., -1] = spoil
        windows.append(window)
    return windows


def flat(windows: list[list[list[Tensor]]]) -> list[list[Tensor]]:
    return [batch for window in windows for batch in window]


def drawn_scaler(draw: Draw) -> dict:
    """A scaler of step 1 whose scale stays as it is as long as nothing overflows."""
    scale = 2.0 ** draw.integer(6, 14)
    return draw.choice(
        [{"class": "StaticLossScaler", "scale": scale}, {"class": "DynamicLossScaler", "init_scale": scale}]
    )


class Run:
    """SGD with lr 1/2 over windows: weights and norm after each, the mean loss of each, and its samples."""

    def __init__(self, weights: list[Tensor], windows: list, limit: float | None = None, first: bool = True) -> None:
        now = [weight.double() for weight in weights]
        self.weights, self.norms, self.losses, self.samples = [], [], [], []
        for window in windows:
            leaves = [weight.clone().requires_grad_() for weight in now[:2]]
            self.samples.append(sum(len(targets) for _, targets in window))
            loss = sum(_summed_loss(leaves, *batch) for batch in window) / self.samples[-1]
            gradients = torch.autograd.grad(loss, leaves)
            if not first:  # the optimizer does not have the first parameter
                gradients = (torch.zeros_like(gradients[0]), gradients[1])
            norm = torch.cat([gradient.flatten() for gradient in gradients]).norm().item()
            factor = 1.0 if limit is None else min(1.0, limit / norm)
            if not any(inputs[..., -1].any() for inputs, _ in window):
                moved = zip(now[:2], gradients, strict=True)
                now = [weight - 0.5 * factor * gradient for weight, gradient in moved] + now[2:]
            self.weights.append(now)
            self.norms.append(norm)
            self.losses.append(loss.item())

    @property
    def loss(self) -> float:
        return sum(loss * n for loss, n in zip(self.losses, self.samples, strict=True)) / sum(self.samples)


def _summed_loss(weights: list[Tensor], inputs: Tensor, targets: Tensor) -> Tensor:
    logits = torch.tanh(inputs[..., :-1].double() @ weights[0]) @ weights[1]
    return -logits.log_softmax(dim=-1).gather(-1, targets.unsqueeze(-1)).sum()


def drawn_overflows(draw: Draw, counts: list[int], first: bool | None = None) -> tuple[list[bool], list]:
    """Which windows have an inf or a nan in a gradient of one of their batches; the windows.

    `first` says whether the first window is one of them.
    """
    pattern = draw.pattern(len(counts), share=0.4)
    if first is not None:
        start = pattern.index(first)
        pattern = pattern[start:] + pattern[:start]
    return pattern, drawn_windows(draw, counts, [draw.integer(1, 3) if bad else 0 for bad in pattern])


def drawn_images(draw: Draw, channels: int, dtype: torch.dtype, mean: float = 3.0) -> Tensor:
    """(N, C, H, W), few values a channel; each channel has a mean and a spread of its own."""
    center, spread = draw.away_from_zero(1, channels, 1, 1, low=0.3, high=1.0) * mean, draw.away_from_zero(channels)
    x = center + spread.view(1, -1, 1, 1) * draw.normal(draw.integer(2, 3), channels, draw.integer(1, 3), 2)
    return x.to(dtype)


def over_batch(x: Tensor, correction: int = 0) -> tuple[Tensor, Tensor]:
    """float64 mean and variance of each channel."""
    values = x.double().transpose(0, 1).flatten(1)
    return values.mean(dim=1), values.var(dim=1, correction=correction)


def normalized(x: Tensor, mean: Tensor, var: Tensor, weight: Tensor, bias: Tensor, eps: float) -> Tensor:
    mean, var, weight, bias = (value.double().view(1, -1, 1, 1) for value in (mean, var, weight, bias))
    return (x.double() - mean) / (var + eps).sqrt() * weight + bias
