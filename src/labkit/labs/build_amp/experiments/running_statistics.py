"""Running statistics of batch norm in float32 and in 16 bits: the latter stop on the way."""

from types import ModuleType
from typing import Any

import torch
from matplotlib import pyplot
from matplotlib.figure import Figure
from torch import nn

from labkit.experiments.style import BLUE, GREEN, GREY
from labkit.toolbox.measure import one_thread

TITLE = "The running mean of a channel with mean 5, kept in float32, float16 and bfloat16"
MEAN, SPREAD = 5.0, 2.0
BATCH = (64, 1, 8, 8)
STEPS = {0.1: 100, 0.01: 600}  # of each momentum
KEPT = {"float32": GREY, "float16": GREEN, "bfloat16": BLUE}
WIDTHS = (6.0, 2.4, 2.4)
DTYPES = (torch.bfloat16, torch.float16, torch.bfloat16)  # of the inputs


def measure(lab: ModuleType) -> dict[str, Any]:
    """The running mean after every step, for each momentum and each format; all see the same batches."""
    with one_thread():
        return {"runs": {str(momentum): _run(lab, momentum, steps) for momentum, steps in STEPS.items()}}


def _run(lab: ModuleType, momentum: float, steps: int) -> dict[str, list[float]]:
    norms = (
        lab.MixedBatchNorm2d(1, momentum=momentum),
        nn.BatchNorm2d(1, momentum=momentum).half(),
        nn.BatchNorm2d(1, momentum=momentum).bfloat16(),
    )
    torch.manual_seed(0)
    means: dict[str, list[float]] = {name: [] for name in KEPT}
    with torch.no_grad():
        for _ in range(steps):
            batch = MEAN + SPREAD * torch.randn(BATCH)
            for name, norm, dtype in zip(KEPT, norms, DTYPES, strict=True):
                norm(batch.to(dtype))
                means[name].append(norm.running_mean.item())
    return means


def table(data: dict[str, Any]) -> list[list[str]]:
    rows = [["momentum", "steps", *KEPT]]
    for momentum, means in data["runs"].items():
        ends = [values[-1] for values in means.values()]
        rows.append([momentum, str(len(next(iter(means.values())))), *(f"{end:.3f} ({_off(end):.1%})" for end in ends)])
    return rows


def _off(value: float) -> float:
    """By what share of the true mean it is off."""
    return abs(value - MEAN) / MEAN


def notice(data: dict[str, Any]) -> str:
    said = []
    for momentum, means in data["runs"].items():
        exact, bf16 = means["float32"], means["bfloat16"]
        moved = max(step for step in range(1, len(bf16)) if bf16[step] != bf16[step - 1]) + 1
        said.append(
            f"at momentum {momentum} it last moves in step {moved} of {len(bf16)} and ends {_off(bf16[-1]):.1%} off, "
            f"float32 {_off(exact[-1]):.1%}"
        )
    return (
        f"The bfloat16 mean stops before it arrives: {'; '.join(said)}. Once momentum times the distance is less than "
        f"half of the last bit, the update is rounded away; the smaller the momentum, the earlier."
    )


def draw(data: dict[str, Any]) -> Figure:
    figure, panels = pyplot.subplots(1, 2, figsize=(12, 5.5), sharey=True)
    ink = pyplot.rcParams["text.color"]
    for axes, (momentum, means) in zip(panels, data["runs"].items(), strict=True):
        for (name, values), width in zip(means.items(), WIDTHS, strict=True):
            axes.plot(range(1, len(values) + 1), values, color=KEPT[name], linewidth=width, label=name)
        axes.axhline(MEAN, color=ink, linestyle=":", linewidth=1.6, label="true mean")
        axes.set(title=f"Momentum {momentum}", xlabel="step", ylim=(0, None))
    panels[0].set_ylabel("running mean")
    figure.legend(*panels[0].get_legend_handles_labels(), loc="outside lower center", ncols=4)
    return figure
