"""How the loss scale finds its value: skipped steps bring it down, growth brings it up."""

import math
from types import ModuleType
from typing import Any

from matplotlib import pyplot
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MultipleLocator

from labkit.experiments.style import BLUE, GREEN, GREY, ORANGE, PURPLE, VERMILION
from labkit.labs.mixed_precision.training import Settings, Training
from labkit.toolbox.history import mean_loss
from labkit.toolbox.measure import one_thread

TITLE = "The loss scale finds its value, wherever it starts (fp16, small MLP on digits)"
POWERS = (10, 16, 20, 24, 32)  # the trainings start at a loss scale of 2^power
GROWTH_INTERVAL = 15  # PyTorch's own is 2000: too long to see growth here
EPOCHS = 50  # 300 steps
FIRST = 20  # steps of the left panel
COLOURS = (GREY, BLUE, GREEN, ORANGE, PURPLE)
WIDTHS = (6.0, 5.0, 4.0, 3.0, 2.0)  # where curves meet, the ones below stay visible


def measure(lab: ModuleType) -> dict[str, Any]:
    """The same training from each loss scale: the scale where it changes, the steps that were skipped, the end."""
    with one_thread():
        runs = [_run(lab, power) for power in POWERS]
    return {"growth_interval": GROWTH_INTERVAL, "runs": runs}


def _run(lab: ModuleType, power: int) -> dict[str, Any]:
    training = Training(lab, Settings(dtype="fp16", epochs=EPOCHS))
    training.trainer.scaler = lab.create_grad_scaler(
        init_scale=2.0**power, growth_interval=GROWTH_INTERVAL, device="cpu"
    )
    while not training.finished:
        training.step()
    powers = [math.log2(record.scale) for record in training.history]  # of the step
    powers.append(math.log2(training.trainer.scaler.get_scale()))
    points = list(enumerate(powers, start=1))
    changes = [number for number in range(1, len(powers)) if powers[number] != powers[number - 1]]
    return {
        "start": power,
        "steps": len(training.history),
        "scales": [points[number] for number in (0, *changes, -1)],
        "skips": [point for point, record in zip(points, training.history, strict=False) if record.skipped],
        "growths": [points[number] for number in changes if powers[number] > powers[number - 1]],
        "loss": mean_loss(training.epoch_records(EPOCHS - 1)),
        "accuracy": training.accuracy(),
    }


def table(data: dict[str, Any]) -> list[list[str]]:
    rows = [["loss scale at first", "skipped at once", "skipped later", "growths", "at last", "loss", "correct"]]
    for run in data["runs"]:
        at_once = _skipped_at_once(run)
        counts = [str(count) for count in (at_once, len(run["skips"]) - at_once, len(run["growths"]))]
        rows.append([f"2^{run['start']}", *counts, f"2^{_end(run):g}", f"{run['loss']:.4f}", f"{run['accuracy']:.1%}"])
    return rows


def notice(data: dict[str, Any]) -> str:
    low, high = data["runs"][0], data["runs"][-1]
    ends = [_end(run) for run in data["runs"]]
    losses = [run["loss"] for run in data["runs"]]
    later = sum(len(run["skips"]) - _skipped_at_once(run) for run in data["runs"])
    return (
        f"From 2^{high['start']}, {_skipped_at_once(high)} steps are skipped at once, a halving each; from "
        f"2^{low['start']}, {_skipped_at_once(low)} are, and the scale doubles {len(low['growths'])} times. Later all "
        f"{len(ends)} trainings together skip {later} steps, those where it had become too large again. First 2^"
        f"{high['start'] - low['start']} apart, after {low['steps']} steps the scales are 2^{max(ends) - min(ends):g} "
        f"apart, and the losses lie between {min(losses):.4f} and {max(losses):.4f}."
    )


def _skipped_at_once(run: dict[str, Any]) -> int:
    """How many steps were skipped before the first that was not."""
    return sum(step == number for number, (step, _) in enumerate(run["skips"], start=1))


def _end(run: dict[str, Any]) -> float:
    """The last loss scale, as a power of 2."""
    return run["scales"][-1][1]


def draw(data: dict[str, Any]) -> Figure:
    figure, (left, right) = pyplot.subplots(1, 2, figsize=(12, 6), sharey=True, width_ratios=[1, 2])
    for axes in (left, right):
        _draw_scales(axes, data["runs"])
    left.set(title=f"The first {FIRST} steps", xlim=(0, FIRST + 1), ylabel="loss scale")
    right.set(title=f"All steps, growth interval {data['growth_interval']}", xlim=(-4, None))
    left.yaxis.set_major_locator(MultipleLocator(4))
    left.yaxis.set_major_formatter(lambda power, _: f"$2^{{{power:g}}}$")
    handles, labels = right.get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=len(labels), columnspacing=1.2, handlelength=1.5)
    return figure


def _draw_scales(axes: Axes, runs: list[dict[str, Any]]) -> None:
    for run, colour, width in zip(runs, COLOURS, WIDTHS, strict=True):
        steps, powers = zip(*run["scales"], strict=True)
        label = f"from $2^{{{run['start']}}}$"
        axes.plot(steps, powers, color=colour, linewidth=width, drawstyle="steps-post", label=label)
    marks = {"growth": ("growths", "^", 5, pyplot.rcParams["text.color"]), "skipped step": ("skips", "x", 7, VERMILION)}
    for label, (key, mark, size, colour) in marks.items():
        points = [point for run in runs for point in run[key]]
        axes.plot(
            [step for step, _ in points],
            [power for _, power in points],
            mark,
            color=colour,
            markersize=size,
            markeredgewidth=size / 3,
            label=label,
        )
    axes.set(xlabel="step")
