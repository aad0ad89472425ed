"""What hysteresis does to the loss scale when bad batches come in bursts."""

import math
from types import ModuleType
from typing import Any

import torch
from matplotlib import pyplot
from matplotlib.figure import Figure
from matplotlib.ticker import MultipleLocator
from torch import nn

from labkit.experiments.style import BLUE, GREY, ORANGE

TITLE = "The loss scale under bursts of overflows, without hysteresis and with it"
STEPS = 600
GROWTH_INTERVAL = 60
INIT_SCALE = 2.0**15  # the largest that does not overflow here
HYSTERESIS = {1: GREY, 2: BLUE, 4: ORANGE}
WIDTHS = {1: 6.0, 2: 4.0, 4: 2.2}  # where curves meet, the ones below stay visible
BURSTS = (2, 3, 4)  # bad batches in a row
PAUSES = (30, 90)  # good batches from one burst to the next


def measure(lab: ModuleType) -> dict[str, Any]:
    """The same batches for each hysteresis: the scale of each step, and which steps were skipped."""
    bad = _bad_batches()
    return {
        "steps": STEPS,
        "bad": [step for step in range(STEPS) if bad[step]],
        "runs": {str(hysteresis): _run(lab, hysteresis, bad) for hysteresis in HYSTERESIS},
    }


def _bad_batches() -> list[bool]:
    draw = torch.Generator().manual_seed(0)
    bad: list[bool] = []
    while len(bad) < STEPS:
        pause = torch.randint(*PAUSES, (), generator=draw).item()
        bad += [False] * int(pause) + [True] * BURSTS[torch.randint(len(BURSTS), (), generator=draw)]
    return bad[:STEPS]


def _run(lab: ModuleType, hysteresis: int, bad: list[bool]) -> dict[str, Any]:
    scaler = lab.DynamicLossScaler(INIT_SCALE, growth_interval=GROWTH_INTERVAL, hysteresis=hysteresis)
    weight = nn.Parameter(torch.ones(1))
    optimizer = torch.optim.SGD([weight], lr=0.0)
    powers, skips = [], []
    for step, is_bad in enumerate(bad):
        optimizer.zero_grad()
        # The gradient is 1 in float16, or inf in a bad batch: it overflows at scales above 2^15.
        loss = (weight.half() * (math.inf if is_bad else 1.0)).sum()
        powers.append(math.log2(scaler.get_scale()))
        scaler.scale(loss).backward()
        if not scaler.step(optimizer):
            skips.append(step)
        scaler.update()
    return {"powers": powers, "skips": skips}


def table(data: dict[str, Any]) -> list[list[str]]:
    rows = [["hysteresis", "lowest scale", "mean", "skipped: bad", "too high"]]
    for hysteresis, run in data["runs"].items():
        for_bad = len(data["bad"])
        rows.append(
            [
                hysteresis,
                f"2^{min(run['powers']):g}",
                f"2^{_mean(run):.1f}",
                str(for_bad),
                str(len(run["skips"]) - for_bad),
            ]
        )
    return rows


def notice(data: dict[str, Any]) -> str:
    runs = data["runs"]
    low, *_, high = runs
    without, most = runs[low], runs[high]
    bad = len(data["bad"])
    return (
        f"{bad} of {data['steps']} batches are bad, in bursts of {min(BURSTS)} to {max(BURSTS)}. Without hysteresis "
        f"each of them halves the scale: it falls to 2^{min(without['powers']):g}, with a mean of "
        f"2^{_mean(without):.1f}. With a hysteresis of {high} it falls to 2^{min(most['powers']):g}, with a mean of "
        f"2^{_mean(most):.1f}. The price: where the scale itself is too high it comes down later, and "
        f"{len(most['skips']) - bad} good batches are skipped instead of {len(without['skips']) - bad}."
    )


def _mean(run: dict[str, Any]) -> float:
    return sum(run["powers"]) / len(run["powers"])


def draw(data: dict[str, Any]) -> Figure:
    figure, axes = pyplot.subplots(figsize=(12, 5.5))
    for hysteresis, run in data["runs"].items():
        label = f"hysteresis {hysteresis}" if hysteresis != "1" else "no hysteresis (1)"
        style: dict[str, Any] = {
            "color": HYSTERESIS[int(hysteresis)],
            "linewidth": WIDTHS[int(hysteresis)],
            "label": label,
        }
        axes.plot(run["powers"], **style, drawstyle="steps-post")
    lowest = min(min(run["powers"]) for run in data["runs"].values())
    ink = pyplot.rcParams["text.color"]
    axes.plot(data["bad"], [lowest - 1] * len(data["bad"]), "|", color=ink, markersize=14, label="bad batch")
    axes.set(title="Loss scale of the step", xlabel="step", ylabel="loss scale", xlim=(0, data["steps"]))
    axes.yaxis.set_major_locator(MultipleLocator(2))
    axes.yaxis.set_major_formatter(lambda power, _: f"$2^{{{power:g}}}$")
    figure.legend(*axes.get_legend_handles_labels(), loc="outside lower center", ncols=4)
    return figure
