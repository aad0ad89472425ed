"""What bfloat16 on the wire does to a mean over ranks: the rounding of what is sent, and that of the sum itself."""

from collections.abc import Callable
from types import ModuleType

import torch
from matplotlib import pyplot
from matplotlib.figure import Figure
from torch import Tensor

from labkit.experiments.style import BLUE, GREY, VERMILION

TITLE = "Error of a gradient's mean over the ranks, relative to its size"
RANKS = (2, 4, 8, 16, 32, 64, 128, 256, 512, 1024)
ENTRIES = 2048
FP32, HALF_SENT, HALF_SUMMED = "float32", "bf16 sent, float32 sum", "bf16 sent and summed"
COLOURS = {FP32: GREY, HALF_SENT: BLUE, HALF_SUMMED: VERMILION}
NOISE, AGREED = "noise", "agreed"
TITLES = {NOISE: "Gradients that are all noise", AGREED: "Gradients that agree (1 with noise of 0.1)"}


def measure(lab: ModuleType) -> dict[str, dict[str, list[float]]]:
    """For each kind of gradients and each way, the error over RANKS; on one process, which adds up in a ring's order.

    The lab's code plays no part: gloo adds in the format that is sent, one rank after the other, as here.
    """
    noise = torch.randn(RANKS[-1], ENTRIES, generator=torch.Generator().manual_seed(0))
    return {
        kind: {way: [_error(gradients[:ranks], way) for ranks in RANKS] for way in COLOURS}
        for kind, gradients in {NOISE: noise, AGREED: 1 + 0.1 * noise}.items()
    }


def _error(gradients: Tensor, way: str) -> float:
    """Of the mean over the first axis, relative to the exact mean's norm."""
    divided = gradients / len(gradients)  # before it is cast, as the lab asks
    ways: dict[str, Callable[[], Tensor]] = {
        FP32: lambda: _in_turn(divided),
        HALF_SENT: lambda: _in_turn(divided.bfloat16().float()),
        HALF_SUMMED: lambda: _in_turn(divided.bfloat16()),
    }
    exact = gradients.double().mean(dim=0)
    return ((ways[way]().double() - exact).norm() / exact.norm()).item()


def _in_turn(parts: Tensor) -> Tensor:
    total = parts[0].clone()
    for part in parts[1:]:
        total += part
    return total


def table(data: dict[str, dict[str, list[float]]]) -> list[list[str]]:
    rows = [["ranks", *(f"{kind}, {sums} sum" for kind in data for sums in ("fp32", "bf16"))]]
    for place, ranks in enumerate(RANKS):
        errors = [data[kind][way][place] for kind in data for way in (HALF_SENT, HALF_SUMMED)]
        rows.append([str(ranks), *(f"{error:.1e}" for error in errors)])
    return rows


def notice(data: dict[str, dict[str, list[float]]]) -> str:
    few, many = RANKS.index(8), len(RANKS) - 1
    noise, agreed = data[NOISE][HALF_SUMMED], data[AGREED][HALF_SUMMED]
    return (
        f"Summed in bfloat16, the error grows with the ranks: from {noise[few]:.1%} with {RANKS[few]} ranks to "
        f"{noise[many]:.0%} with {RANKS[many]} where gradients are noise. Where they agree it is {agreed[few]:.1%} and "
        f"{agreed[many]:.0%}, because the sum stops growing: a rank's part is less than half a spacing of what is "
        f"there. Sent in bfloat16 and summed in float32 it stays at {data[NOISE][HALF_SENT][many]:.1%} or less."
    )


def draw(data: dict[str, dict[str, list[float]]]) -> Figure:
    figure, grid = pyplot.subplots(1, 2, figsize=(12, 5.5), sharey=True)
    for axes, (kind, ways) in zip(grid, data.items(), strict=True):
        for way, errors in ways.items():
            axes.plot(RANKS, [100 * error for error in errors], "o-", color=COLOURS[way], label=way)
        axes.set(title=TITLES[kind], xlabel="ranks", yscale="log")
        axes.set_xscale("log", base=2)
        axes.set_xticks(RANKS[::2], [str(ranks) for ranks in RANKS[::2]])
    grid[0].set_ylabel("error, percent of the mean")
    figure.legend(*grid[0].get_legend_handles_labels(), loc="outside lower center", ncols=3)
    return figure
