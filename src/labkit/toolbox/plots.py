"""Draws trainings: their losses, and what the loss scale did."""

import io
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import matplotlib

matplotlib.use("Agg")  # draws into files, needs no screen

from matplotlib import pyplot
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from labkit.course.errors import LabError
from labkit.course.files import check_writable, write_whole
from labkit.toolbox.history import StepRecord

SUFFIXES = (".png", ".pdf", ".svg")

# Okabe and Ito's colours, told apart by colour-blind readers too (https://jfly.uni-koeln.de/color/).
GREY, BLUE, GREEN, VERMILION = "#999999", "#0072B2", "#009E73", "#D55E00"
COLOURS = {"fp32": GREY, "bf16": BLUE, "fp16": GREEN}


@dataclass(frozen=True)
class Curve:
    """One training in a picture; `line` is a matplotlib line style."""

    label: str
    records: Sequence[StepRecord]
    colour: str
    line: str = "-"
    width: float = 2.0


def check_plot(path: Path) -> None:
    """Raises LabError unless a picture can be written to `path`."""
    if path.suffix.lower() not in SUFFIXES:
        raise LabError(f"--plot {path}: the name must end in {', '.join(SUFFIXES)}")
    check_writable(path, "--plot")


def draw_trainings(curves: Sequence[Curve], path: Path, log_steps: bool = False) -> None:
    """Draws two panels, loss and loss scale over steps, into `path`, a .png, .pdf or .svg, whole or not at all."""
    with pyplot.rc_context({"font.size": 13, "legend.fontsize": 11}):
        figure, (left, right) = pyplot.subplots(1, 2, figsize=(12, 5.5), layout="constrained")
        _draw_losses(left, curves)
        _draw_scales(right, [curve for curve in curves if _scaled(curve)])
        for axes in (left, right):
            axes.set_xlabel("step")
            if log_steps:
                axes.set_xscale("log")
                axes.xaxis.set_major_formatter("{x:g}")
            axes.grid(alpha=0.3)
            axes.spines[["top", "right"]].set_visible(False)
        figure.legend(*left.get_legend_handles_labels(), loc="outside lower center", ncols=3, frameon=False)
        picture = saved(figure, path.suffix.lower().removeprefix("."), dpi=150)
    write_whole(path, picture)


def saved(figure: Figure, kind: str, dpi: int, metadata: dict[str, None] | None = None) -> bytes:
    """The figure as the bytes of a file of this kind ("png", "pdf" or "svg"); it is closed."""
    buffer = io.BytesIO()
    figure.savefig(buffer, format=kind, dpi=dpi, metadata=metadata)
    pyplot.close(figure)
    return buffer.getvalue()


def _draw_losses(axes: Axes, curves: Sequence[Curve]) -> None:
    for curve in curves:
        losses = [record.loss if math.isfinite(record.loss) else math.nan for record in curve.records]
        axes.plot(_steps(curve), losses, curve.line, color=curve.colour, linewidth=curve.width, label=curve.label)
    axes.set(title="Loss", ylabel="cross entropy (nats, unscaled)", yscale="log")


def _draw_scales(axes: Axes, curves: Sequence[Curve]) -> None:
    axes.set(title="Loss scale", ylabel="loss scale of the step")
    if not curves:
        axes.text(0.5, 0.5, "no loss scaling", transform=axes.transAxes, ha="center", va="center")
        axes.set(yticks=[])
        return
    axes.set_yscale("log", base=2)
    for curve in curves:
        steps, scales = _steps(curve), [record.scale for record in curve.records]
        axes.plot(steps, scales, curve.line, color=curve.colour, linewidth=curve.width, drawstyle="steps-post")
        skipped = [(step, record.scale) for step, record in zip(steps, curve.records, strict=True) if record.skipped]
        if skipped:
            label = f"skipped step ({len(skipped)})"
            axes.plot(
                *zip(*skipped, strict=True), "x", color=VERMILION, markersize=10, markeredgewidth=2.5, label=label
            )
    if any(record.skipped for curve in curves for record in curve.records):
        axes.legend(frameon=False)


def _scaled(curve: Curve) -> bool:
    """Whether the training had a loss scale: a disabled scaler's is 1 all along."""
    return any(record.scale != 1.0 for record in curve.records)


def _steps(curve: Curve) -> range:
    return range(1, len(curve.records) + 1)
