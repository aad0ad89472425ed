"""Gradient accumulation done right, and in three ways that look right: how far each is from the whole batch."""

from collections.abc import Callable
from types import ModuleType
from typing import Any

import torch
from matplotlib import pyplot
from matplotlib.figure import Figure
from torch import Tensor, nn
from torch.nn import functional as F

from labkit.experiments.style import BLUE, GREEN, GREY, ORANGE, VERMILION
from labkit.toolbox.datasets import digits_split
from labkit.toolbox.measure import one_thread

TITLE = "Accumulation over batches of unequal sizes, against each window as one batch"
SIZES = (96, 8, 64, 16, 80, 24, 40, 8, 96, 48, 8)  # of an epoch's batches: two full windows, and one of three batches
WINDOW = 4
EPOCHS = 40
LEARNING_RATE = 0.3
WHOLE, RIGHT = "whole windows", "accumulate"
COLOURS = {WHOLE: GREY, RIGHT: GREEN, "mean of means": BLUE, "fixed divisor": ORANGE, "last window dropped": VERMILION}
WIDTHS = {WHOLE: 7.0, RIGHT: 3.5}

Batches = list[tuple[Tensor, Tensor]]
Way = Callable[[nn.Module, torch.optim.Optimizer, Batches], object]  # trains on an epoch's batches


def measure(lab: ModuleType) -> dict[str, Any]:
    """Of each way, after every epoch: the test loss, and how far the weights are from those of whole batches."""

    def right(model: nn.Module, optimizer: torch.optim.Optimizer, batches: Batches) -> None:
        lab.accumulate(model, batches, WINDOW, optimizer, lab.StaticLossScaler(), nn.CrossEntropyLoss())

    def whole_only(model: nn.Module, optimizer: torch.optim.Optimizer, batches: Batches) -> None:
        right(model, optimizer, batches[: len(batches) // WINDOW * WINDOW])

    ways: dict[str, Way] = {
        WHOLE: _whole_windows,
        RIGHT: right,
        "mean of means": _dividing(len),
        "fixed divisor": _dividing(lambda window: WINDOW),
        "last window dropped": whole_only,
    }
    with one_thread():
        runs = {name: _run(way) for name, way in ways.items()}
    whole = runs[WHOLE][1]
    return {
        name: {"losses": losses, "apart": [_apart(*pair) for pair in zip(weights, whole, strict=True)]}
        for name, (losses, weights) in runs.items()
    }


def _dividing(divisor: Callable[[Batches], int]) -> Way:
    """Adds up the gradients of the batches' mean losses, each divided by the same number."""

    def way(model: nn.Module, optimizer: torch.optim.Optimizer, batches: Batches) -> None:
        for window in _windows(batches):
            optimizer.zero_grad()
            for images, labels in window:
                (F.cross_entropy(model(images), labels) / divisor(window)).backward()
            optimizer.step()

    return way


def _whole_windows(model: nn.Module, optimizer: torch.optim.Optimizer, batches: Batches) -> None:
    for window in _windows(batches):
        images, labels = (torch.cat(parts) for parts in zip(*window, strict=True))
        optimizer.zero_grad()
        F.cross_entropy(model(images), labels).backward()
        optimizer.step()


def _run(way: Way) -> tuple[list[float], list[Tensor]]:
    torch.manual_seed(0)
    train_set, test_set = digits_split()
    model = nn.Sequential(nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 10))
    optimizer = torch.optim.SGD(model.parameters(), lr=LEARNING_RATE)
    losses, weights = [], []
    for _ in range(EPOCHS):
        images, labels = train_set[torch.randperm(len(train_set))[: sum(SIZES)]]
        way(model, optimizer, list(zip(images.split(SIZES), labels.split(SIZES), strict=True)))
        images, labels = test_set.tensors
        with torch.no_grad():
            losses.append(F.cross_entropy(model(images), labels).item())
        weights.append(nn.utils.parameters_to_vector(model.parameters()).detach())
    return losses, weights


def _windows(batches: Batches) -> list[Batches]:
    return [batches[start : start + WINDOW] for start in range(0, len(batches), WINDOW)]


def _apart(weights: Tensor, whole: Tensor) -> float:
    """The distance of two models' weights, relative to the weights."""
    return ((weights - whole).norm() / whole.norm()).item()


def table(data: dict[str, Any]) -> list[list[str]]:
    rows = [["way", "test loss", "apart, 1 epoch", f"{EPOCHS} epochs"]]
    for name, run in data.items():
        rows.append([name, f"{run['losses'][-1]:.3f}", f"{run['apart'][0]:.1e}", f"{run['apart'][-1]:.1e}"])
    return rows


def notice(data: dict[str, Any]) -> str:
    wrong = {name: run for name, run in data.items() if name not in (WHOLE, RIGHT)}
    apart = ", ".join(f"{run['apart'][-1]:.0%} ({name})" for name, run in wrong.items())
    losses = ", ".join(f"{run['losses'][-1]:.3f}" for run in wrong.values())
    epochs = len(data[WHOLE]["losses"])
    return (
        f"After {epochs} epochs the weights of accumulate are a relative {data[RIGHT]['apart'][-1]:.0e} from those of "
        f"whole windows, which is rounding. The other ways are {apart} away. They learn too, with test losses of "
        f"{losses}, whole windows {data[WHOLE]['losses'][-1]:.3f}: a loss that falls is no proof."
    )


def draw(data: dict[str, Any]) -> Figure:
    figure, (left, right) = pyplot.subplots(1, 2, figsize=(12, 6))
    for name, run in data.items():
        style = {"color": COLOURS[name], "linewidth": WIDTHS.get(name, 2.2), "label": name}
        epochs = range(1, len(run["losses"]) + 1)
        left.plot(epochs, run["losses"], **style)
        if name != WHOLE:
            right.plot(epochs, [100 * share for share in run["apart"]], **style)
    left.set(title="Loss of the test digits", ylabel="cross entropy (nats)", ylim=(0, None))
    right.set(title="Distance from whole windows", ylabel="percent of the weights", yscale="log")
    for axes in (left, right):
        axes.set_xlabel("epoch")
    figure.legend(*left.get_legend_handles_labels(), loc="outside lower center", ncols=3)
    return figure
