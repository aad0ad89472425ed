"""The pictures of the jobs: learning curves of each format with their spread over seeds, and some read images."""

from typing import Any, cast

import numpy as np
from matplotlib import pyplot
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import NullFormatter, PercentFormatter

from labkit.experiments.style import FORMATS, GREEN, VERMILION
from labkit.labs.capstones.parity import MARGIN, Difference

WIDTHS = {"fp32": 5.0, "bf16": 3.0, "fp16": 1.8}  # where curves meet, the ones below stay visible
SMOOTHED = 60  # a curve has about so many points; each is a mean
Points = list[tuple[int, float]]


def curves(data: dict[str, Any]) -> Figure:
    """The picture of a job's runs, from their JSON; also of runs that Ctrl-C cut short."""
    images = data["runs"][-1]["samples"] if data["job"] == "images" else []
    figure = pyplot.figure(figsize=(12, 7.6 if images else 5.5))
    upper: Any = figure
    if images:
        upper, lower = cast(Any, figure.subfigures(2, 1, height_ratios=(5, 1.7)))
        _show_images(lower, images)
    left, right = upper.subplots(1, 2)
    for dtype in dict.fromkeys(run["dtype"] for run in data["runs"]):
        runs = [run for run in data["runs"] if run["dtype"] == dtype]
        band(left, dtype, [_means(run["losses"]) for run in runs])
        band(right, dtype, [run["scores"] for run in runs])
    left.set(title="Training loss", xlabel="step", ylabel="cross entropy (nats)", yscale="log")
    left.yaxis.set_major_formatter("{x:g}")
    left.yaxis.set_minor_formatter(NullFormatter())
    right.set(title=data["metric"].capitalize(), xlabel="step", ylim=(0, 1.02))
    right.yaxis.set_major_formatter(PercentFormatter(1.0))
    upper.legend(*left.get_legend_handles_labels(), loc="outside lower center", ncols=3)
    return figure


def band(axes: Axes, dtype: str, runs: list[Points], label: str = "") -> None:
    """The mean of the runs, and the range that they fill; each as far as all of them got."""
    shared = list(zip(*filter(None, runs), strict=False))
    if not shared:
        return
    steps = [points[0][0] for points in shared]
    values = np.array([[value for _, value in points] for points in shared])
    colour, count = FORMATS[dtype], values.shape[1]
    name = label or (f"{dtype}, {count} seeds: mean and range" if count > 1 else dtype)
    style: dict[str, Any] = {"color": colour, "linewidth": WIDTHS[dtype], "label": name}
    axes.plot(steps, values.mean(axis=1), marker="o" if len(steps) < 10 else "", **style)
    if count > 1:
        axes.fill_between(steps, values.min(axis=1), values.max(axis=1), color=colour, alpha=0.25, linewidth=0)


def _means(points: Points) -> Points:
    """A long curve as means of as many neighbours as make it readable."""
    size = max(1, len(points) // SMOOTHED)
    groups = [points[start : start + size] for start in range(0, len(points) - size + 1, size)]
    return [(group[-1][0], sum(value for _, value in group) / size) for group in groups]


def _show_images(part: Any, images: list[dict[str, Any]]) -> None:
    for axes, image in zip(part.subplots(1, len(images)), images, strict=True):
        axes.imshow(image["pixels"], cmap="gray", vmin=0)
        right = image["said"] == image["label"]
        title = f"{image['said']}" if right else f"{image['said']}, is {image['label']}"
        axes.set_title(title, color=GREEN if right else VERMILION)
        axes.axis("off")


def intervals(found: list[Difference]) -> Figure:
    """The differences of parity with their intervals, and the margin."""
    figure, axes = pyplot.subplots(figsize=(10, 1.8 + 0.6 * len(found)))
    for place, one in enumerate(found):
        colour = FORMATS[one.dtype]
        pairs = [100 * (half - single) for half, single in zip(one.half, one.float32, strict=True)]
        axes.plot([100 * one.low, 100 * one.high], [place] * 2, color=colour, linewidth=4, solid_capstyle="butt")
        axes.plot(pairs, [place] * len(pairs), "|", color=pyplot.rcParams["text.color"], markersize=12)
        axes.plot([100 * one.mean], [place], "o", color=colour, markersize=9)
    axes.axvspan(-100 * MARGIN, 100 * MARGIN, color=GREEN, alpha=0.15, linewidth=0)
    axes.axvline(0, color=pyplot.rcParams["text.color"], linewidth=1)
    axes.set_yticks(range(len(found)), [f"{one.job}, {one.dtype}" for one in found])
    axes.set(
        title="Half precision minus fp32: each seed, mean, 95 % interval", xlabel="points of accuracy",
        ylim=(len(found) - 0.5, -0.5),
    )  # fmt: skip
    axes.grid(axis="y", visible=False)
    return figure
