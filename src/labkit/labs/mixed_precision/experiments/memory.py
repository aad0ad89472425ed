"""What a training step holds in memory from its first operation to its last, sorted by what it is for."""

from dataclasses import replace
from types import ModuleType
from typing import Any

import torch
from matplotlib import pyplot
from matplotlib.figure import Figure
from torch import Tensor

from labkit.experiments.style import BLUE, GREEN, GREY, ORANGE, PURPLE, SKY
from labkit.labs.mixed_precision.compare import WORKLOADS
from labkit.labs.mixed_precision.steps import Batch, Workload, subject
from labkit.labs.mixed_precision.timeline import (
    ACTIVATIONS,
    COPIES,
    GRADIENTS,
    PARTS,
    PHASES,
    STATE,
    TEMPORARY,
    WEIGHTS,
    Timeline,
)
from labkit.toolbox.measure import one_thread

TITLE = "What a training step holds, in float32 and under bf16 autocast"
DTYPES = {"fp32": torch.float32, "bf16": torch.bfloat16}
# The MLP at a batch too small for its activations to lead: what the two models show is the difference.
MODELS = {"MLP": replace(WORKLOADS[1], batch_size=256), "transformer": WORKLOADS[0]}
POINTS = 24  # kept of each phase
# In the order in which they are stacked. GREEN and BLUE are no formats here.
COLOURS = {
    WEIGHTS: GREY,
    STATE: PURPLE,
    GRADIENTS: GREEN,
    COPIES: ORANGE,
    ACTIVATIONS: SKY,
    TEMPORARY: BLUE,
}


def measure(lab: ModuleType) -> dict[str, Any]:
    """The second step of each model in each format, with AdamW; the first made the optimizer's state."""
    torch.manual_seed(0)
    models = {}
    for name, workload in MODELS.items():
        batch = workload.batch(workload.batch_size, "cpu")
        with one_thread():  # many would wait for each other on a busy machine
            steps = {label: _step(lab, workload, dtype, batch) for label, dtype in DTYPES.items()}
        models[name] = {"workload": f"{workload.name}, {workload.batch_size} {workload.samples}", "steps": steps}
    return {"unit": "MiB", "models": models}


def _step(lab: ModuleType, workload: Workload, dtype: torch.dtype, batch: Batch) -> dict[str, Any]:
    """The peak of a step, what was held at that moment, and the curves of all parts, thinned out."""
    one = subject(lab, workload, dtype, "cpu")
    one.step(batch)
    state = (value for kept in one.optimizer.state.values() for value in kept.values() if isinstance(value, Tensor))
    timeline = Timeline(one.trainer.model.parameters(), state)
    with timeline, timeline.saved_tensors():
        one.step(batch)
    held = timeline.held()
    totals = [sum(moment) for moment in zip(*held.values(), strict=True)]
    worst = totals.index(max(totals))
    moments = _moments(timeline.phases, totals)
    return {
        "peak": _mib(totals[worst]),
        "peak at": timeline.phases[worst],
        "at the peak": {part: _mib(bytes_[worst]) for part, bytes_ in held.items()},
        "most": {part: _mib(max(bytes_)) for part, bytes_ in held.items()},
        "time": [round(time, 3) for time, _ in moments],
        "held": {part: [_mib(bytes_[at]) for _, at in moments] for part, bytes_ in held.items()},
    }


def _moments(phases: list[str], totals: list[int]) -> list[tuple[float, int]]:
    """Operations to draw, with their time: forward is 0 to 1, backward 1 to 2, update 2 to 3.

    A phase's operations are split into POINTS stretches, and each gives the one that holds most: peaks stay.
    """
    moments = []
    for number, phase in enumerate(PHASES):
        operations = [at for at, name in enumerate(phases) if name == phase]
        stretches = min(POINTS, len(operations))
        for stretch in range(stretches):
            begin, end = (len(operations) * edge // stretches for edge in (stretch, stretch + 1))
            at = max(operations[begin:end], key=totals.__getitem__)
            moments.append((number + stretch / stretches, at))
    return moments


def _mib(bytes_: int) -> float:
    return round(bytes_ / 2**20, 2)


def table(data: dict[str, Any]) -> list[list[str]]:
    steps = [
        (f"{name}, {label}", step) for name, model in data["models"].items() for label, step in model["steps"].items()
    ]
    rows = [["at the peak, MiB", *(heading for heading, _ in steps)]]
    rows += [[part, *(f"{step['at the peak'][part]:.1f}" for _, step in steps)] for part in PARTS]
    rows.append(["together", *(f"{step['peak']:.1f}" for _, step in steps)])
    return rows


def notice(data: dict[str, Any]) -> str:
    sentences = []
    for name, model in data["models"].items():
        full, half = model["steps"]["fp32"], model["steps"]["bf16"]
        ratio = half["peak"] / full["peak"]
        change = "hardly changes" if abs(ratio - 1) < 0.03 else "shrinks" if ratio < 1 else "grows"
        sentences.append(
            f"The {name}'s peak {change}: {half['peak']:.1f} MiB in bf16 (during {half['peak at']}), "
            f"{full['peak']:.1f} in fp32 (during {full['peak at']}). Of saved activations it holds "
            f"{half['most'][ACTIVATIONS]:.1f} MiB at most instead of {full['most'][ACTIVATIONS]:.1f}, and "
            f"{half['most'][COPIES]:.1f} more for bf16 copies of weights; {_share(full):.0%} of its fp32 peak are "
            f"weights, gradients and optimizer state."
        )
    return " ".join(sentences)


def _share(step: dict[str, Any]) -> float:
    """What autocast does not make smaller, as a share of the peak."""
    return sum(step["at the peak"][part] for part in (WEIGHTS, STATE, GRADIENTS)) / step["peak"]


def draw(data: dict[str, Any]) -> Figure:
    names = list(data["models"])
    figure, grid = pyplot.subplots(len(names), len(DTYPES), figsize=(10, 8), sharex=True, sharey="row", squeeze=False)
    for name, row in zip(names, grid, strict=True):
        steps = data["models"][name]["steps"]
        for (label, step), axes in zip(steps.items(), row, strict=True):
            _draw_step(axes, step)
            axes.set_title(f"{name}, {label}: peak {step['peak']:.0f} MiB")
        row[0].set(ylabel="memory held, MiB", ylim=(0, 1.12 * max(step["peak"] for step in steps.values())))
    handles, labels = grid[0, 0].get_legend_handles_labels()
    figure.legend(handles[::-1], labels[::-1], loc="outside lower center", ncols=2)  # as stacked, the top first
    return figure


def _draw_step(axes: pyplot.Axes, step: dict[str, Any]) -> None:
    time, held = [*step["time"], 3.0], [[*amounts, amounts[-1]] for amounts in step["held"].values()]
    edge = pyplot.rcParams["axes.facecolor"]
    axes.stackplot(time, held, colors=COLOURS.values(), labels=PARTS, step="post", edgecolor=edge, linewidth=0.6)
    axes.axhline(step["peak"], color=pyplot.rcParams["text.color"], linestyle=":", linewidth=1.5)
    for end in (1, 2):
        axes.axvline(end, color=pyplot.rcParams["text.color"], linewidth=0.8)
    axes.set(xlim=(0, 3))
    axes.set_xticks([0.5, 1.5, 2.5], PHASES)
    axes.tick_params(axis="x", length=0)
    axes.grid(visible=False)
