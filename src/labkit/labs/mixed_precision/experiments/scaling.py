"""The way of a small and of a large gradient through loss scaling, with a step at its end or without one."""

from types import ModuleType
from typing import Any

import torch
from matplotlib import pyplot
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from labkit.experiments.style import FORMATS, GREEN, GREY, VERMILION

TITLE = "Loss scaling, gradient by gradient"
SCALES = (1.0, 2.0**16)
GRADIENTS = (1e-8, 1e-3, 2.0)  # true ones
HEADS = ("true gradient", "times S", "in float16,\nin backward", "in float32,\ndivided by S", "the optimizer")


def measure(lab: ModuleType) -> dict[str, Any]:
    """Every gradient times every scale in float16, and what float32 makes of that divided by the scale."""
    ways = []
    for scale in SCALES:
        for true in GRADIENTS:
            half = torch.tensor(true * scale, dtype=torch.float16)
            ways.append(
                {"scale": scale, "true": true, "half": str(half.item()), "back": str(half.float().item() / scale)}
            )
    return {"ways": ways}


def table(data: dict[str, Any]) -> list[list[str]]:
    return [
        ["S", *(head.replace("\n", " ") for head in HEADS)],
        *([_power(way["scale"]), *_stations(way)] for way in data["ways"]),
    ]


def notice(data: dict[str, Any]) -> str:
    lost, kept, over = data["ways"][0], data["ways"][len(GRADIENTS)], data["ways"][-1]
    return (
        f"Without scaling {_short(lost['true'])} becomes {_short(float(lost['half']))} in float16, and its weight "
        f"never moves. With S = {_power(kept['scale'])} it comes back as {_short(float(kept['back']), 4)}. A gradient "
        f"of {_short(over['true'])} becomes {over['half']} there: the step is skipped, and S is halved until the "
        f"largest gradient fits."
    )


def draw(data: dict[str, Any]) -> Figure:
    figure, axes = pyplot.subplots(figsize=(12, 5.4))
    for column, head in enumerate(HEADS):
        axes.text(column, -0.85, head, ha="center", va="center", fontsize=15)
    for row, way in enumerate(data["ways"]):
        _add_way(axes, way, row + row // len(GRADIENTS) * 0.6)
    for block, scale in enumerate(SCALES):
        title = "no scaling:\nS = 1" if scale == 1.0 else f"loss scaling:\nS = {_power(scale)}"
        axes.text(-1.2, block * (len(GRADIENTS) + 0.6) + 1, title, ha="center", va="center", fontsize=15)
    axes.set(xlim=(-1.8, len(HEADS) - 0.4), ylim=(len(data["ways"]) + 0.1, -1.3))
    axes.axis("off")
    return figure


def _add_way(axes: Axes, way: dict[str, Any], row: float) -> None:
    stations = _stations(way)
    wrong = float(way["half"]) in (0.0, float("inf"))
    colours = [FORMATS["fp32"], FORMATS["fp32"], VERMILION if wrong else GREEN, GREY, VERMILION if wrong else GREEN]
    for column, (text, colour) in enumerate(zip(stations, colours, strict=True)):
        box = {"boxstyle": "round,pad=0.4", "facecolor": (colour, 0.25), "edgecolor": colour, "linewidth": 1.6}
        axes.text(column, row, text, ha="center", va="center", fontsize=14, bbox=box)
        if column:
            axes.annotate(
                "", (column - 0.36, row), (column - 0.64, row), arrowprops={"arrowstyle": "->", "color": GREY}
            )


def _stations(way: dict[str, Any]) -> list[str]:
    """What is at each of the HEADS."""
    half, back = float(way["half"]), float(way["back"])
    end = "skips" if half == float("inf") else "no update" if half == 0.0 else "steps"
    return [*map(_short, (way["true"], way["true"] * way["scale"], half, back)), end]


def _short(value: float, digits: int = 3) -> str:
    return f"{value:.{digits}g}".replace("e-0", "e-").replace("e+0", "e")


def _power(scale: float) -> str:
    return "1" if scale == 1.0 else f"2^{torch.tensor(scale).log2().item():g}"
