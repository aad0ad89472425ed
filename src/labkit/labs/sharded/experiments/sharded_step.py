"""What one rank holds over a training step, and what it sends in it: DDP, ZeRO 1, a model that is sharded, FSDP2."""

from pathlib import Path
from types import ModuleType
from typing import Any

from matplotlib import pyplot
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from labkit.course.loading import load_implementation
from labkit.experiments.ranks import RANKS, on_ranks
from labkit.experiments.style import BLUE, GREEN, GREY, ORANGE, PURPLE, VERMILION
from labkit.experiments.timeline import recorded
from labkit.labs.sharded.training import DDP, FSDP2, HAND, HAND_BF16, PARAMETERS, ZERO1, recorded_step
from labkit.observe.answer import Answer
from labkit.toolbox.recorder import ALL_GATHER, ALL_REDUCE, REDUCE_SCATTER

TITLE = f"Bytes for each parameter that one of {RANKS} ranks holds and sends in a step of AdamW (digits, float32)"
SHOWN = (DDP, ZERO1, HAND, HAND_BF16, FSDP2)
LINES = {DDP: (GREY, "-"), ZERO1: (ORANGE, "-"), HAND: (BLUE, "-"), FSDP2: (GREEN, "--")}
KINDS = {ALL_REDUCE: GREY, REDUCE_SCATTER: VERMILION, ALL_GATHER: PURPLE}
PHASES = ("forward", "backward", "update")
SAMPLES = 32


def measure(lab: ModuleType) -> dict[str, Any]:
    """A step of each way on two ranks, as rank 0 has it. Raises LabError if one fails."""
    return on_ranks(_on_a_rank, lab)


def _on_a_rank(job: list[Any]) -> Answer:
    lab = load_implementation(Path(job[0]))
    return Answer({name: recorded(recorded_step(lab, name, SAMPLES)[0], timeline=True) for name in SHOWN})


def table(data: dict[str, Any]) -> list[list[str]]:
    rows = [["way", "held", "most", *KINDS]]
    for way in SHOWN:
        step = data[way]
        sizes = [step["left"], step["most"], *(step["kinds"][kind] for kind in KINDS)]
        rows.append([way, *(f"{size / PARAMETERS:.1f}" for size in sizes)])
    return rows


def notice(data: dict[str, Any]) -> str:
    left, most = ({way: data[way][what] / PARAMETERS for way in SHOWN} for what in ("left", "most"))
    return (
        f"When a step is over, one of {RANKS} ranks holds {left[DDP]:.1f} bytes a parameter under DDP (16, and its "
        f"buckets), {left[ZERO1]:.1f} under ZeRO 1, {left[HAND]:.1f} under ZeRO 3 by hand and {left[FSDP2]:.1f} under "
        f"FSDP2. Each hump is a unit that is whole. At most it is {most[DDP]:.1f}, {most[ZERO1]:.1f}, {most[HAND]:.1f} "
        f"and {most[FSDP2]:.1f}; with bf16 weights {most[HAND_BF16]:.1f}."
    )


def draw(data: dict[str, Any]) -> Figure:
    figure, (held, sent) = pyplot.subplots(1, 2, figsize=(14, 5.2), width_ratios=[1.9, 1])
    for way, (colour, line) in LINES.items():
        times, sizes = zip(*data[way]["held"], strict=True)
        places = [_place(time, data[way]["phases"]) for time in times]
        held.step(places, [size / PARAMETERS for size in sizes], line, where="post", color=colour, label=way)
    held.set(ylabel="bytes held, a parameter", ylim=(0, None), xlim=(0, len(PHASES)))
    held.set_xticks([number + 0.5 for number in range(len(PHASES))], PHASES)
    held.tick_params(axis="x", length=0)
    held.grid(axis="x", visible=False)
    for border in range(1, len(PHASES)):
        held.axvline(border, color=GREY, linewidth=1)
    figure.legend(*held.get_legend_handles_labels(), loc="outside lower center", ncols=len(LINES))
    _draw_sent(sent, data)
    return figure


def _place(time: float, phases: dict[str, float]) -> float:
    """Where a moment lies, if all phases are drawn equally long."""
    begin = 0.0
    for number, phase in enumerate(PHASES):
        if time <= phases[phase]:
            return number + (time - begin) / (phases[phase] - begin)
        begin = phases[phase]
    return float(len(PHASES))


def _draw_sent(axes: Axes, data: dict[str, Any]) -> None:
    left = [0.0] * len(SHOWN)
    for kind, colour in KINDS.items():
        widths = [data[way]["kinds"][kind] / PARAMETERS for way in SHOWN]
        bars = axes.barh(SHOWN, widths, left=left, color=colour, label=kind)
        axes.bar_label(
            bars, [f"{width:.1f}" if width else "" for width in widths], label_type="center", color="#111111"
        )
        left = [start + width for start, width in zip(left, widths, strict=True)]
    axes.invert_yaxis()
    axes.grid(axis="y", visible=False)
    axes.set_xlabel("bytes sent, a parameter")
    axes.set_xticks(range(0, 13, 4))
    axes.legend(loc="lower center", bbox_to_anchor=(0.4, 1.0), ncols=len(KINDS), columnspacing=1.0, handlelength=1.2)
