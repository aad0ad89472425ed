"""How far apart trainings of one format are, beside how far apart the formats are."""

import statistics
from pathlib import Path
from types import ModuleType
from typing import Any

from matplotlib import pyplot
from matplotlib.figure import Figure
from matplotlib.ticker import PercentFormatter

from labkit.experiments.style import FORMATS
from labkit.labs.capstones.images import Images
from labkit.labs.capstones.parity import Difference
from labkit.labs.capstones.pictures import band
from labkit.labs.capstones.training import DTYPES, Run, computing
from labkit.toolbox.measure import one_thread

TITLE = "The job images on the course's digits, from five seeds in each format"
SEEDS = 5
EPOCHS = 4


def measure(lab: ModuleType) -> dict[str, Any]:
    """For each format and seed the accuracy on unseen digits after each epoch, and the skipped steps."""
    job = Images(Path(), "digits", epochs=EPOCHS)
    runs: dict[str, list[dict[str, Any]]] = {dtype: [] for dtype in DTYPES}
    with one_thread():
        for seed in range(SEEDS):
            for dtype, done in runs.items():
                run = Run(dtype, seed)
                with computing(dtype, "cpu"):
                    job.train(lab, seed, run, lambda: None)
                done.append({"scores": run.scores, "skipped": run.skipped})
    return runs


def _last(runs: list[dict[str, Any]]) -> list[float]:
    return [run["scores"][-1][1] for run in runs]


def _differences(data: dict[str, Any]) -> list[Difference]:
    return [Difference("images", one, _last(data["fp32"]), _last(data[one])) for one in data if one != "fp32"]


def table(data: dict[str, Any]) -> list[list[str]]:
    seeds = range(len(data["fp32"]))
    rows = [["format", *(f"seed {seed}" for seed in seeds), "mean", "skipped"]]
    for dtype, runs in data.items():
        scores = [f"{score:.1%}" for score in [*_last(runs), statistics.mean(_last(runs))]]
        rows.append([dtype, *scores, str(sum(run["skipped"] for run in runs))])
    return rows


def notice(data: dict[str, Any]) -> str:
    single = _last(data["fp32"])
    said = [
        f"{one.dtype} minus fp32 from the same seed is {100 * one.mean:+.2f} points, with a 95 % interval from "
        f"{100 * one.low:+.1f} to {100 * one.high:+.1f}."
        for one in _differences(data)
    ]
    return (
        f"The {len(single)} trainings in fp32 alone end up to {100 * (max(single) - min(single)):.1f} points apart. "
        f"{' '.join(said)} One training in each format would compare seeds, not formats."
    )


def draw(data: dict[str, Any]) -> Figure:
    figure, (left, right) = pyplot.subplots(1, 2, figsize=(12, 5.8))
    for dtype, runs in data.items():
        band(left, dtype, [run["scores"] for run in runs])
    left.set(title="Accuracy on unseen digits", xlabel="step")
    left.yaxis.set_major_formatter(PercentFormatter(1.0))
    single = _last(data["fp32"])
    mean = statistics.mean(single)
    right.axhline(0, color=pyplot.rcParams["text.color"], linewidth=1)
    ends = {"fp32": [score - mean for score in single]}
    ends |= {one.dtype: [half - own for half, own in zip(one.half, single, strict=True)] for one in _differences(data)}
    for place, (dtype, points) in enumerate(ends.items()):
        # Equal points beside each other, not on top of each other.
        places = [place + 0.07 * (index - (len(points) - 1) / 2) for index in range(len(points))]
        right.plot(places, [100 * point for point in points], "o", color=FORMATS[dtype], markersize=9)
    for place, one in enumerate(_differences(data), start=1):
        style: dict[str, Any] = {"color": FORMATS[one.dtype], "alpha": 0.25, "linewidth": 0}
        right.fill_between([place - 0.3, place + 0.3], 100 * one.low, 100 * one.high, **style)
    labels = ["fp32, against\nits own mean", *(f"{dtype}, against\nfp32, same seed" for dtype in list(ends)[1:])]
    right.set_xticks(range(len(ends)), labels)
    right.set(title="At the end, each seed; shaded: 95 % interval", ylabel="points of accuracy")
    right.grid(axis="x", visible=False)
    figure.legend(*left.get_legend_handles_labels(), loc="outside lower center", ncols=3)
    return figure
