"""The training job: what the lab builds beside torch.amp and float32."""

import math
from types import ModuleType
from typing import Any

from matplotlib import pyplot
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from labkit.experiments.style import FORMATS, VERMILION
from labkit.labs.build_amp.training import HERE, LAST, TORCH, Settings, beside_torch
from labkit.toolbox.measure import one_thread

TITLE = "Five sigmoid layers learn digits by the AMP that is built here and by torch.amp"
TIMED = True
WIDTHS = {"fp32": 7.0, HERE: 4.5, TORCH: 1.6}  # where curves meet, the ones below stay visible
LINES = {"fp32": "-", "bf16": ":", "fp16": "--"}  # of torch.amp's curves


def measure(lab: ModuleType) -> dict[str, Any]:
    """The trainings as `--train` makes them."""
    with one_thread():
        return beside_torch(lab, Settings())


def table(data: dict[str, Any]) -> list[list[str]]:
    rows = [["training", "loss", "correct", "skips", "scale", "lost", "s"]]
    for name, run in data["runs"].items():
        scale = _power(run["scales"][-1][1]) if _scaled(run) else "none"
        cells = [f"{run['final_loss']:.4f}", f"{run['accuracy']:.1%}", str(len(run["skips"])), scale]
        rows.append([_label(name, data), *cells, f"{_lost(run)[0]:.0%}", f"{run['seconds']:.1f}"])
    return rows


def notice(data: dict[str, Any]) -> str:
    said = [_agreement(dtype, data) for dtype in data["parted"]]
    formats = {"fp32": "fp32"} | {dtype: f"{dtype}, {HERE}" for dtype in data["parted"]}
    ends = ", ".join(f"{data['runs'][name]['final_loss']:.3f} in {dtype}" for dtype, name in formats.items())
    said.append(f"The mean loss of the last {min(LAST, data['steps'])} steps is {ends}.")
    fp16 = data["runs"].get(f"fp16, {HERE}")
    if fp16:
        first, last = (_power(fp16["scales"][place][1]) for place in (0, -1))
        scaled, unscaled = _lost(fp16)
        said.append(
            f"In fp16 {len(fp16['skips'])} of {data['steps']} steps were skipped on the way of the loss scale from "
            f"{first} to {last}. Of the first layer's gradient at step {fp16['lost'][0][0]} {scaled:.0%} became zero; "
            f"without a loss scale it is {unscaled:.0%} with the same weights."
        )
    return " ".join(said)


def _agreement(dtype: str, data: dict[str, Any]) -> str:
    here, torch = (data["runs"][f"{dtype}, {by}"] for by in (HERE, TORCH))
    what = "losses and loss scales" if _scaled(here) else "losses"
    parted = data["parted"][dtype]
    if parted is None:
        return f"{_label(dtype, data)}: {what} of all {data['steps']} steps equal torch.amp's bit by bit."
    return (
        f"{_label(dtype, data)}: {what} differ from torch.amp's from step {parted} on; at last the loss is "
        f"{here['final_loss']:.4f}, torch.amp's {torch['final_loss']:.4f}."
    )


def _label(name: str, data: dict[str, Any]) -> str:
    return f"emulated {name}" if data["emulated"] and name.startswith("fp16") else name


def _scaled(run: dict[str, Any]) -> bool:
    return run["scales"][0][1] != 1.0


def _lost(run: dict[str, Any]) -> tuple[float, float]:
    """The shares of the first layer's gradient that were lost at the first look, with the loss scale and without."""
    _, scaled, unscaled = run["lost"][0]
    return scaled, unscaled


def _power(scale: float) -> str:
    return f"2^{math.log2(scale):g}"


def draw(data: dict[str, Any]) -> Figure:
    figure, (losses, scales, lost) = pyplot.subplots(1, 3, figsize=(14, 5.5))
    for name, run in data["runs"].items():
        losses.plot(*_columns(run["losses"]), **_style(name), label=_label(name, data))
        lost.plot(*_columns([(step, 100 * share) for step, share, _ in run["lost"]]), **_style(name))
    losses.set(title="Loss", ylabel="cross entropy (nats)", ylim=(0, None))
    lost.set(title="First layer: gradient lost", ylabel="percent that became zero")
    _draw_scales(scales, data)
    _draw_unscaled(lost, data)
    for axes in (losses, scales, lost):
        axes.set(xlabel="step", xlim=(-0.03 * data["steps"], 1.03 * data["steps"]))
    figure.legend(*losses.get_legend_handles_labels(), loc="outside lower center", ncols=5, columnspacing=1.2)
    return figure


def _draw_scales(axes: Axes, data: dict[str, Any]) -> None:
    axes.set(title="Loss scale", ylabel="loss scale of the step")
    scaled = {name: run for name, run in data["runs"].items() if _scaled(run)}
    if not scaled:
        axes.text(0.5, 0.5, "no loss scaling", transform=axes.transAxes, ha="center", va="center")
        axes.set(yticks=[])
        return
    axes.set_yscale("log", base=2)
    for name, run in scaled.items():
        steps, heights = _columns([*run["scales"], (data["steps"], run["scales"][-1][1])])
        axes.plot(steps, heights, **_style(name), drawstyle="steps-post")
    skips = scaled[f"fp16, {HERE}"]["skips"]
    axes.plot(*_columns(skips), "x", color=VERMILION, markersize=8, markeredgewidth=2.2, label="skipped step")
    axes.legend()


def _draw_unscaled(axes: Axes, data: dict[str, Any]) -> None:
    fp16 = data["runs"].get(f"fp16, {HERE}")
    if fp16:
        points = [(step, 100 * share) for step, _, share in fp16["lost"]]
        axes.plot(*_columns(points), color=FORMATS["fp16, no scaling"], label="fp16, same weights,\nno loss scale")
        axes.legend()


def _style(name: str) -> dict[str, Any]:
    """The format's colour, thin and dark for torch.amp's curve: it should be in the middle of the wide one."""
    dtype, _, by = name.partition(", ")
    colour = pyplot.rcParams["text.color"] if by == TORCH else FORMATS[dtype]
    return {"color": colour, "linestyle": LINES[dtype] if by == TORCH else "-", "linewidth": WIDTHS[by or dtype]}


def _columns(points: list[Any]) -> tuple[list[float], list[float]]:
    return [x for x, _ in points], [y for _, y in points]
