"""How far off sensitive operations are in half: written by hand, as PyTorch's own kernel, and with float32 inside."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from types import ModuleType
from typing import Any

import torch
from matplotlib import pyplot
from matplotlib.figure import Figure
from torch import Tensor
from torch.nn import functional as F

from labkit.experiments.style import FORMATS, SKY, VERMILION
from labkit.toolbox.measure import one_thread

TITLE = "Sensitive operations in 16 bits: the largest error, as a share of the largest right value"
DTYPES = {"fp16": torch.float16, "bf16": torch.bfloat16}
ROWS, COLUMNS = 64, 1024
TERMS = 8192  # of the mean
WAYS = {"by hand": ("X", VERMILION), "PyTorch's own": ("o", SKY), "float32 inside": ("D", FORMATS["fp32"])}
LEFT, BEYOND = 1e-8, (6.0, 400.0)  # of the picture: its left edge, and the band for inf and nan


@dataclass
class Operation:
    """The same operation in three ways, of an input in half; `by_hand` rounds every step to half, and defines it."""

    inputs: Tensor
    by_hand: Callable[[Tensor], Tensor]
    kernel: Callable[[Tensor], Tensor]
    in_float32: Callable[[Tensor], Tensor]


def operations(lab: ModuleType) -> dict[str, Operation]:
    """The operations with drawn inputs: logits of a spread of 10, hidden values with outliers, small gradients."""
    torch.manual_seed(0)
    logits = 10 * torch.randn(ROWS, COLUMNS)
    targets = torch.randint(COLUMNS, (ROWS,))
    hidden = 20 + 10 * torch.randn(ROWS, COLUMNS)
    hidden[:, 7] = 400 + 10 * torch.randn(ROWS)  # a feature that stands out, as in large language models
    gradients = 1e-5 * torch.randn(ROWS, COLUMNS)
    losses = 2 + torch.rand(TERMS)
    shape = (COLUMNS,)
    return {
        "softmax": Operation(logits, _softmax, lambda x: x.softmax(-1), lab.fp32_softmax),
        "log of softmax": Operation(
            logits,
            lambda x: _softmax(x).log(),
            lambda x: x.log_softmax(-1),
            lambda x: x.float().log_softmax(-1).to(x.dtype),
        ),
        "cross entropy": Operation(
            logits,
            lambda x: -_softmax(x).log()[torch.arange(ROWS), targets].mean(),
            lambda x: F.cross_entropy(x, targets),
            lambda x: lab.fp32_cross_entropy(x, targets),
        ),
        "layer norm": Operation(
            hidden, _layer_norm, lambda x: F.layer_norm(x, shape), lambda x: lab.fp32_layer_norm(x, shape)
        ),
        "variance": Operation(hidden, _variance, _own_variance, lambda x: _own_variance(x.float()).to(x.dtype)),
        "norm of gradients": Operation(
            gradients, lambda x: x.square().sum().sqrt(), torch.norm, lambda x: torch.norm(x.float()).to(x.dtype)
        ),
        f"mean of {TERMS}": Operation(
            losses, _running_mean, torch.mean, lambda x: x.mean(dtype=torch.float32).to(x.dtype)
        ),
    }


def _softmax(x: Tensor) -> Tensor:
    powers = x.exp()
    return powers / powers.sum(-1, keepdim=True)


def _variance(x: Tensor) -> Tensor:
    return x.square().mean(-1) - x.mean(-1).square()


def _own_variance(x: Tensor) -> Tensor:
    return x.var(-1, correction=0)


def _layer_norm(x: Tensor) -> Tensor:
    centred = x - x.mean(-1, keepdim=True)
    return centred / (centred.square().mean(-1, keepdim=True) + 1e-5).sqrt()


def _running_mean(x: Tensor) -> Tensor:
    total = torch.zeros((), dtype=x.dtype)
    for value in x:
        total += value
    return total / len(x)


def measure(lab: ModuleType) -> dict[str, Any]:
    """Errors against float64 on the same, already rounded inputs; "nan", "inf" where the result is that anywhere."""
    with one_thread():  # how a sum is split among threads changes its rounding
        errors = {
            name: {operation: _errors(ways, dtype) for operation, ways in operations(lab).items()}
            for name, dtype in DTYPES.items()
        }
    roundings = {name: torch.finfo(dtype).eps / 2 for name, dtype in DTYPES.items()}
    return {"errors": errors, "one rounding": roundings, "rows": ROWS, "columns": COLUMNS, "terms of the mean": TERMS}


def _errors(operation: Operation, dtype: torch.dtype) -> dict[str, float | str]:
    rounded = operation.inputs.to(dtype)
    right = operation.by_hand(rounded.double())
    ways = (operation.by_hand, operation.kernel, operation.in_float32)
    return {name: _error(run(rounded), right) for name, run in zip(WAYS, ways, strict=True)}


def _error(result: Tensor, right: Tensor) -> float | str:
    result = result.double()
    if result.isnan().any():
        return "nan"
    if result.isinf().any():
        return "inf"
    return float(f"{((result - right).abs().max() / right.abs().max()).item():.3g}")


def table(data: dict[str, Any]) -> list[list[str]]:
    errors = data["errors"]
    rows = [["error", *(f"{name} {way}" for name in errors for way in WAYS)]]
    for operation in next(iter(errors.values())):
        cells = [errors[name][operation][way] for name in errors for way in WAYS]
        rows.append([operation, *(cell if isinstance(cell, str) else f"{cell:.1e}" for cell in cells)])
    return rows


def notice(data: dict[str, Any]) -> str:
    by_hand, own, inside = WAYS
    sentences = []
    for name, operations_ in data["errors"].items():
        broken = [operation for operation, ways in operations_.items() if isinstance(ways[by_hand], str)]
        wrong = [operation for operation, ways in operations_.items() if 0.05 < _number(ways[by_hand]) < math.inf]
        worst = {way: max(_number(ways[way]) for ways in operations_.values()) for way in (own, inside)}
        sentences.append(
            f"In {name}, written by hand, {_listed(broken)} come out as inf or nan and {_listed(wrong)} more than 5% "
            f"wrong; PyTorch's own kernels here are at most {_worded(worst[own])} off, with float32 inside "
            f"{_worded(worst[inside])}. (Rounding once: {data['one rounding'][name]:.2%}.)"
        )
    return " ".join(sentences)


def _listed(names: list[str]) -> str:
    return ", ".join(names) or "none"


def _number(error: float | str) -> float:
    return math.inf if isinstance(error, str) else error


def _worded(error: float) -> str:
    return f"{error:.2%}" if math.isfinite(error) else "inf or nan"


def draw(data: dict[str, Any]) -> Figure:
    figure, panels = pyplot.subplots(1, len(data["errors"]), figsize=(11, 6), sharey=True)
    for axes, (name, operations_) in zip(panels, data["errors"].items(), strict=True):
        axes.axvspan(*BEYOND, color=VERMILION, alpha=0.18, linewidth=0)
        rounding = data["one rounding"][name]
        axes.axvline(rounding, color=pyplot.rcParams["text.color"], linestyle=":", label="rounding the right value")
        for number, (way, (marker, colour)) in enumerate(WAYS.items()):
            errors = [ways[way] for ways in operations_.values()]
            places = [row + 0.24 * (number - 1) for row in range(len(errors))]
            axes.plot([_spot(error) for error in errors], places, marker, color=colour, markersize=9, label=way)
            for error, place in zip(errors, places, strict=True):
                if isinstance(error, str):
                    axes.text(1.9 * _spot(error), place, error, va="center")
        axes.set(title=name, xscale="log", xlim=(LEFT, BEYOND[1]), xlabel="largest error / largest value")
        axes.set_xticks([1e-6, 1e-4, 1e-2, 1], ["0.0001%", "0.01%", "1%", "100%"])
        axes.set_yticks(range(len(operations_)), operations_)
        axes.tick_params(axis="y", length=0)
    panels[0].invert_yaxis()
    handles, labels = panels[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=4)
    return figure


def _spot(error: float | str) -> float:
    """Where an error is drawn: inf and nan beyond all numbers, what is too small or too large at the edge."""
    return 2 * BEYOND[0] if isinstance(error, str) else min(max(error, 2 * LEFT), BEYOND[0] / 2)
