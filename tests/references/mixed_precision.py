"""Drawn inputs of the graded suite of Lab 04, and what a right answer makes of them, by plain formulas."""

import itertools
import math

import torch
from torch import Tensor
from torch.nn import functional as F

from labkit.judge.draw import Draw
from labkit.toolbox.models import SimpleModel
from scenarios.mixed_precision.common import CRITERIA, small_model

INF, NAN = math.inf, math.nan

# Step 1: autocast


def linear_in(dtype: torch.dtype, inputs: Tensor, weight: Tensor) -> Tensor:
    """float64 inputs @ weight.T with both rounded to `dtype` first, as autocast does."""
    return inputs.to(dtype).double() @ weight.to(dtype).double().T


# Step 2: loss scaling


def normal_weights(draw: Draw) -> list[Tensor]:
    return [draw.normal(4), draw.normal(2, 3), draw.normal(1)]


def normal_gradients(draw: Draw, norm: float) -> list[Tensor]:
    """Gradients of `normal_weights` that together have this 2-norm."""
    flat = draw.vector(11, norm)
    return [flat[:4], flat[4:10].reshape(2, 3), flat[10:]]


def drawn_scale(draw: Draw, low: int, high: int) -> float:
    """A loss scale that float32 holds exactly, as the scaler does, and no power of two as a rule."""
    return draw.integer(8 * low, 8 * high) / 8


def overflowing(draw: Draw, steps: int, good: int = 0) -> tuple[list[bool], list[list[Tensor]]]:
    """A drawn pattern of steps, then `good` good ones, and their gradients, with inf or nan in the bad ones."""
    pattern, gradients = [*draw.pattern(steps, share=0.5), *[False] * good], []
    kinds = itertools.cycle(draw.shuffled((INF, -INF, NAN)))  # three bad steps have them all
    for bad in pattern:
        step = normal_gradients(draw, norm=2.0)
        if bad:
            flat = step[draw.integer(0, 2)].view(-1)
            flat[draw.integer(0, len(flat) - 1)] = next(kinds)
        gradients.append(step)
    return pattern, gradients


def follow(
    weights: list[Tensor], pattern: list[bool], gradients: list[list[Tensor]], factor: float = 1.0
) -> list[list[Tensor]]:
    """The weights after every step of SGD with lr 1 that skips where the pattern says so."""
    history, now = [], weights
    for bad, step in zip(pattern, gradients, strict=True):
        now = now if bad else [weight - factor * gradient for weight, gradient in zip(now, step, strict=True)]
        history.append(now)
    return history


def scales_after(pattern: list[bool], init: float, growth: float, backoff: float, interval: int) -> list[float]:
    """The loss scale after every step: it backs off on a skip and grows after `interval` good steps in a row."""
    scales, scale, good = [], init, 0
    for bad in pattern:
        good = 0 if bad else good + 1
        if bad:
            scale *= backoff
        elif good == interval:
            scale, good = scale * growth, 0
        scales.append(scale)
    return scales


# Step 3: the trainer


def plain(model: torch.nn.Module) -> dict[str, Tensor]:
    return {name: value.detach().clone() for name, value in model.state_dict().items()}


def drawn_state(draw: Draw) -> dict[str, Tensor]:
    """The weights of a small model with 8 inputs, 16 hidden and 3 output values."""
    torch.default_generator.manual_seed(draw.integer(0, 2**31))  # torch.manual_seed reads the source of every frame
    return plain(SimpleModel(8, 16, 3, num_layers=1))


def sharp_state(draw: Draw) -> dict[str, Tensor]:
    """Weights that give large logits, so that losses differ widely from sample to sample."""
    state = drawn_state(draw)
    state["3.weight"] *= 8.0
    return state


def drawn_batches(draw: Draw, count: int, size: int = 6) -> list[list[Tensor]]:
    """Batches of inputs and class indices."""
    return [[draw.normal(size, 8), draw.integers(size, high=3)] for _ in range(count)]


def linear_batches(draw: Draw, pattern: list[bool], size: int = 4) -> list[list[Tensor]]:
    """Batches for the linear loss: where the pattern says so, float16 gradients overflow and the loss is finite."""
    return [[draw.normal(size, 8), draw.away_from_zero(size, 3) * (1e6 if bad else 1.0)] for bad in pattern]


def infinite_batch(draw: Draw, value: float, size: int = 4) -> list[Tensor]:
    """A batch whose linear loss is `value` or -`value`: one target is, all others are zero."""
    targets = torch.zeros(size, 3)
    targets[draw.integer(0, size - 1), draw.integer(0, 2)] = value
    return [draw.normal(size, 8), targets]


def running_mean(weight: Tensor, batches: list) -> Tensor:
    """The running mean, momentum 0.1, of the outputs of a Linear over these batches."""
    mean = torch.zeros(len(weight))
    for inputs, _ in batches:
        mean = 0.9 * mean + 0.1 * (inputs @ weight.T).mean(dim=0)
    return mean


def uneven_epoch(draw: Draw, state: dict) -> list[Tensor]:
    """Nine samples for batches of four: the last one is alone, and has by far the largest loss."""
    inputs = draw.normal(9, 8)
    logits = small_model(state)(inputs)
    return [inputs, torch.cat([logits[:8].argmax(dim=1), logits[8:].argmin(dim=1)])]


def reference_training(
    state: dict,
    batches: list,
    dtype: torch.dtype,
    lr: float,
    criterion: str = "cross_entropy",
    scale: float = 1.0,
    limit: float | None = None,
) -> tuple[list[float], list[dict[str, Tensor]]]:
    """Losses and weights of SGD whose gradients are computed under autocast, with a loss multiplied by a constant."""
    model, losses, history = small_model(state), [], []
    for inputs, targets in batches:
        with torch.autocast("cpu", dtype=dtype, enabled=dtype != torch.float32):
            loss = CRITERIA[criterion]()(model(inputs), targets)
        gradients = [g / scale for g in torch.autograd.grad(loss * scale, list(model.parameters()))]
        norm = torch.stack([gradient.norm() for gradient in gradients]).norm().item()
        factor = 1.0 if limit is None else min(1.0, limit / norm)
        with torch.no_grad():
            for parameter, gradient in zip(model.parameters(), gradients, strict=True):
                parameter -= lr * factor * gradient
        losses.append(loss.item())
        history.append(plain(model))
    return losses, history


def mean_loss(state: dict, data: list[Tensor], dtype: torch.dtype) -> float:
    with torch.no_grad(), torch.autocast("cpu", dtype=dtype, enabled=dtype != torch.float32):
        return F.cross_entropy(small_model(state)(data[0]).float(), data[1]).item()


# Step 4: operations that stay in float32


def layer_norm64(
    x: Tensor, shape: tuple[int, ...], weight: Tensor | None = None, bias: Tensor | None = None, eps: float = 1e-5
) -> Tensor:
    """float64 layer normalization: (x - mean) / sqrt(variance + eps) * weight + bias."""
    x, dims = x.double(), tuple(range(-len(shape), 0))
    centered = x - x.mean(dim=dims, keepdim=True)
    normed = centered / torch.sqrt(centered.square().mean(dim=dims, keepdim=True) + eps)
    normed = normed if weight is None else normed * weight.double()
    return normed if bias is None else normed + bias.double()
