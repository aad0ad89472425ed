"""The timeline of a training step: a row for each rank (computing, waiting, calls), and the bytes that it holds."""

from collections.abc import Mapping, Sequence
from typing import Any

from matplotlib import pyplot
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Patch

from labkit.experiments.style import BLUE, GREEN, ORANGE, PURPLE, SKY, VERMILION
from labkit.toolbox.recorder import ALL_GATHER, ALL_REDUCE, REDUCE_SCATTER, Step

WAITING, SENDING = "waiting", "a call under way"
COLOURS = {"forward": SKY, "backward": GREEN, "update": PURPLE, WAITING: VERMILION, SENDING: BLUE}
LINES = (ORANGE, BLUE, GREEN, PURPLE)
SHOWN = 4  # ranks in a picture

Recorded = dict[str, Any]


def recorded(step: Step, timeline: bool) -> Recorded:
    """The step as JSON: its numbers, and if there will be a timeline of it, what happened when."""
    numbers = {
        "seconds": step.seconds,
        "sent": step.sent,
        "calls": len(step.calls),
        "left": step.left,
        "most": step.most,
        "kinds": {kind: step.sent_by(kind) for kind in (ALL_GATHER, REDUCE_SCATTER, ALL_REDUCE)},
    }
    if not timeline:
        return numbers
    return numbers | {
        "computing": step.computing(),
        "waits": step.waits(),
        "under way": step.under_way(),
        "held": step.held,
        "phases": step.phases,
    }


def timeline(ways: Mapping[str, Sequence[Recorded]], parameters: int) -> Figure:
    """Two ways to train side by side, each with the `recorded` steps of its ranks, of which SHOWN are drawn."""
    ranks = min(SHOWN, *(len(steps) for steps in ways.values()))
    figure, grid = pyplot.subplots(
        2, 2, figsize=(13, 4.6 + 1.1 * ranks), sharex=True, sharey="row", height_ratios=[1.1 * ranks, 2.2]
    )
    for (way, steps), (rows, line) in zip(ways.items(), grid.T, strict=True):
        rows.set_title(way)
        for rank, step in enumerate(steps[:ranks]):
            _draw_rank(rows, rank, step)
            colour = LINES[rank]
            times, held = zip(*step["held"], strict=True)
            line.step([1000 * time for time in times], [bytes / parameters for bytes in held], where="post",
                      color=colour, linestyle="-" if rank == 0 else "--", label=f"rank {rank}")  # fmt: skip
        line.set_xlabel("ms since the step began")
        rows.grid(axis="y", visible=False)
    rows, line = grid[:, 0]
    rows.set_yticks(range(ranks), [f"rank {rank}" for rank in range(ranks)])
    rows.set_ylim(ranks - 0.45, -0.55)
    line.set_ylabel("bytes held,\na parameter")
    line.set_ylim(0, None)
    line.legend(loc="lower right")
    patches = [Patch(color=colour, label=name) for name, colour in COLOURS.items()]
    figure.legend(handles=patches, loc="outside lower center", ncols=len(patches))
    return figure


def _draw_rank(axes: Axes, rank: int, step: Recorded) -> None:
    """Above, what the rank does; below, a line for each call, from its start to its end."""
    for phase, spans in step["computing"].items():
        _bars(axes, spans, rank - 0.4, 0.36, COLOURS[phase])
    _bars(axes, step["waits"], rank - 0.4, 0.36, COLOURS[WAITING])
    calls = step["under way"]
    height = 0.4 / max(len(calls), 1)
    for number, span in enumerate(calls):
        _bars(axes, [span], rank + number * height, 0.8 * height, COLOURS[SENDING])


def _bars(axes: Axes, spans: Sequence[tuple[float, float]], top: float, height: float, colour: str) -> None:
    axes.broken_barh([(1000 * start, 1000 * (end - start)) for start, end in spans], (top, height), color=colour)
