"""How far apart trainings of one format are, beside how far apart the formats are."""

import statistics
from types import ModuleType
from typing import Any

from matplotlib import pyplot
from matplotlib.figure import Figure
from matplotlib.ticker import PercentFormatter

from labkit.labs.capstones import words
from labkit.labs.capstones.pictures import band
from labkit.labs.capstones.training import Run, computing
from labkit.toolbox.measure import one_thread

TITLE = "The job words from three seeds, in fp32 and in bf16"
FORMATS = ("fp32", "bf16")
SEEDS = 3
STEPS = 320
MEASURED = 40


def measure(lab: ModuleType) -> dict[str, Any]:
    """For each format and seed: losses, and exact match on unseen numbers."""
    job = words.Words(steps=STEPS, measured=MEASURED)
    runs = {dtype: [Run(dtype, seed) for seed in range(SEEDS)] for dtype in FORMATS}
    with one_thread():
        for dtype, of_format in runs.items():
            for run in of_format:
                with computing(dtype, "cpu"):
                    job.train(lab, run.seed, run, lambda: None)
    return {dtype: [{"losses": run.losses, "scores": run.scores} for run in some] for dtype, some in runs.items()}


def table(data: dict[str, Any]) -> list[list[str]]:
    rows = [["format", "step", *(f"seed {seed}" for seed in range(SEEDS)), "mean"]]
    for dtype, runs in data.items():
        scores = [run["scores"][-1][1] for run in runs]
        rows.append(
            [dtype, str(runs[0]["scores"][-1][0]), *(f"{one:.1%}" for one in scores), f"{statistics.mean(scores):.1%}"]
        )
    return rows


def _last(data: dict[str, Any], dtype: str) -> list[float]:
    return [run["scores"][-1][1] for run in data[dtype]]


def notice(data: dict[str, Any]) -> str:
    single, half = (_last(data, dtype) for dtype in FORMATS)
    pairs = [abs(one - other) for one, other in zip(single, half, strict=True)]
    spread = max(single) - min(single)
    step = data[FORMATS[0]][0]["scores"][-1][0]
    return (
        f"At step {step} the seeds of fp32 alone are up to {100 * spread:.1f} points apart. bf16 is "
        f"{', '.join(f'{100 * one:.1f}' for one in pairs)} points away from fp32 with the same seed, and the means of "
        f"the formats are {100 * abs(statistics.mean(single) - statistics.mean(half)):.1f} points apart. One training "
        "in each format compares seeds, not formats."
    )


def draw(data: dict[str, Any]) -> Figure:
    figure, (left, right) = pyplot.subplots(1, 2, figsize=(12, 5.8))
    for dtype, runs in data.items():
        band(left, dtype, [run["losses"][MEASURED // 2 - 1 :: MEASURED // 2] for run in runs])
        band(right, dtype, [run["scores"] for run in runs])
    left.set(title="Training loss of the batch", xlabel="step", ylabel="cross entropy (nats)", ylim=(0, None))
    right.set(title="Exact match on unseen numbers", xlabel="step", ylim=(0, 1.02))
    right.yaxis.set_major_formatter(PercentFormatter(1.0))
    figure.legend(*left.get_legend_handles_labels(), loc="outside lower center", ncols=2)
    return figure
