"""What a step of ResNet-50, BERT-base and GPT-2 small holds at its peak, in five ways to keep numbers, counted."""

from types import ModuleType
from typing import Any

from matplotlib import pyplot
from matplotlib.figure import Figure

from labkit.labs.mixed_precision.at_scale import CASES, WAYS, counted
from labkit.labs.mixed_precision.experiments.memory import COLOURS
from labkit.labs.mixed_precision.steps import Workload
from labkit.labs.mixed_precision.timeline import COPIES, STATE, WEIGHTS

TITLE = "What a step of a real model holds: counted, not computed"
FULL, HALF, ALL, MASTERS = "fp32", "bf16 autocast", "all bf16", "bf16, fp32 masters"  # ways that the notice names


def measure(lab: ModuleType) -> dict[str, Any]:
    """Bytes of each case in each way: at the peak, sorted by purpose, and saved for backward."""
    return {"unit": "bytes", "models": {case[0].name: _counted_ways(*case) for case in CASES}}


def _counted_ways(workload: Workload, optimizer: str) -> dict[str, Any]:
    ways = {}
    for name, way in WAYS.items():
        found = counted(workload, optimizer, way)
        ways[name] = {
            "peak": found.memory.peak_bytes,
            "saved": found.memory.saved_activation_bytes,
            "peak in": found.phase,
            "at the peak": found.parts,
        }
    return {"step": f"{workload.batch_size} {workload.samples}, {optimizer}", "ways": ways}


def table(data: dict[str, Any]) -> list[list[str]]:
    rows = [["one step", "peak, GiB", "of fp32", "saved, GiB", "of fp32"]]
    for name, model in data["models"].items():
        full = model["ways"][FULL]
        for way, held in model["ways"].items():
            shares = [cell for key in ("peak", "saved") for cell in (_gib(held[key]), f"{held[key] / full[key]:.0%}")]
            rows.append([f"{name}, {way}", *shares])
    return rows


def _gib(bytes_: int) -> str:
    return f"{bytes_ / 2**30:.2f}"


def notice(data: dict[str, Any]) -> str:
    models = data["models"]
    steps = "; ".join(f"{name}: {model['step']}" for name, model in models.items())
    last, ways = list(models.items())[-1][0], list(models.values())[-1]["ways"]
    kept = {way: _gib(_kept(held)) for way, held in ways.items()}
    return (
        f"{steps}. Of fp32's peak, bf16 autocast needs {_shares(models, HALF, 'peak')}; of its saved activations, "
        f"{_shares(models, HALF, 'saved')}. Weights and optimizer state do not shrink: for {last} {kept[FULL]} GiB in "
        f"fp32, {kept[HALF]} under autocast and {_gib(ways[HALF]['at the peak'][COPIES])} more for copies of weights, "
        f"{kept[MASTERS]} in bf16 with fp32 masters. All bf16 needs {_shares(models, ALL, 'peak')} of the peak, and "
        "its weights miss small updates."
    )


def _shares(models: dict[str, Any], way: str, key: str) -> str:
    """Of each model what `way` needs, in percent of fp32's."""
    ways = {name: model["ways"] for name, model in models.items()}
    return ", ".join(f"{name} {one[way][key] / one[FULL][key]:.0%}" for name, one in ways.items())


def _kept(held: dict[str, Any]) -> int:
    """Bytes of weights and optimizer state: what is there before the step and after it."""
    return held["at the peak"][WEIGHTS] + held["at the peak"][STATE]


def draw(data: dict[str, Any]) -> Figure:
    models = data["models"]
    figure, (row,) = pyplot.subplots(1, len(models), figsize=(12, 5.2), sharey=True, squeeze=False)
    for (name, model), axes in zip(models.items(), row, strict=True):
        ways = model["ways"]
        left = [0.0] * len(ways)
        for part, colour in COLOURS.items():
            widths = [held["at the peak"][part] / 2**30 for held in ways.values()]
            axes.barh(list(ways), widths, left=left, color=colour, label=part)
            left = [start + width for start, width in zip(left, widths, strict=True)]
        for place, end in enumerate(left):
            axes.annotate(f"{end / left[0]:.0%}", (end, place), (4, 0), textcoords="offset points", va="center")
        axes.set(title=name, xlabel="GiB at the peak", xlim=(0, 1.25 * left[0]))
        axes.grid(axis="y", visible=False)
    row[0].invert_yaxis()
    handles, labels = row[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=2)
    return figure
