"""How a training step becomes faster, a change at a time: the ladder of what this CPU has, without compiling."""

from dataclasses import asdict
from itertools import pairwise
from types import ModuleType
from typing import Any

from matplotlib import pyplot
from matplotlib.figure import Figure

from labkit.experiments.style import FORMATS
from labkit.labs.mixed_precision import small_models
from labkit.labs.mixed_precision.ladder import climb
from labkit.labs.mixed_precision.rates import native_formats, plain_products, with_prefix
from labkit.toolbox.measure import one_thread

TITLE = "The ladder of a training step on one thread: each rung makes one change more"
TIMED = True
CASES = [case for case in small_models.CASES if case[0].name != "small BERT"]  # its rungs are GPT-2's
PRODUCT = 512  # rows of the plain product's matrices
REPEATS = 11
PEAKS = ("bf16", "fp16", "fp32")  # the first of them that the hardware has is what MFU is a share of


def measure(lab: ModuleType) -> dict[str, Any]:
    """FLOP/s of a plain product by format; of each model the rungs, lowest first."""
    with one_thread():
        products = plain_products(native_formats("cpu"), "cpu", PRODUCT, REPEATS)
        ladders = [
            climb(workload, optimizer, workload.batch_size, "cpu", REPEATS, say=lambda text: None, compiled=False)
            for workload, optimizer in CASES
        ]
    return {"products": products, "ladders": [asdict(one) for one in ladders]}


def _peak(data: dict[str, Any]) -> str:
    """The format whose plain product is the 100 % of MFU."""
    return next(name for name in PEAKS if name in data["products"])


def _measured(ladder: dict[str, Any]) -> list[dict[str, Any]]:
    return [rung for rung in ladder["rungs"] if rung["seconds"]]


def table(data: dict[str, Any]) -> list[list[str]]:
    rows = [["step", "ms", "gain", "in all", "peak", "MFU"]]
    rate = data["products"][_peak(data)]
    for ladder in data["ladders"]:
        first = below = ladder["rungs"][0]["seconds"]
        for rung in ladder["rungs"]:
            seconds, peak = rung["seconds"], rung["peak_bytes"]
            name = f"{ladder['workload']}, {rung['change']}"
            if not seconds:
                rows.append([name, *["-"] * 5])
                continue
            rows.append(
                [
                    name,
                    f"{1e3 * seconds:.1f}",
                    f"{below / seconds:.2f}",
                    f"{first / seconds:.2f}",
                    _size(peak) if peak else "-",
                    f"{ladder['flops'] / seconds / rate:.0%}",
                ]
            )
            below = seconds
    return rows


def _size(bytes_: int) -> str:
    return f"{bytes_ / 2**30:.1f} GiB" if bytes_ >= 2**30 else f"{bytes_ / 2**20:.1f} MiB"


def notice(data: dict[str, Any]) -> str:
    said, left_out = [], []
    for ladder in data["ladders"]:
        rungs = _measured(ladder)
        gains = [(below["seconds"] / rung["seconds"], rung["change"]) for below, rung in pairwise(rungs)]
        most, change = max(gains)
        whole = rungs[0]["seconds"] / rungs[-1]["seconds"]
        losses = [f"; {change} makes it slower ({gain:.2f} times as fast)" for gain, change in gains if gain < 0.97]
        said.append(
            f"A step of {ladder['workload']} ({ladder['batch_size']} {ladder['samples']}, {ladder['optimizer']}) "
            f"becomes {whole:.1f} times as fast; the most, {most:.2f} times, comes from {change}{''.join(losses)}."
        )
        left_out += [rung["change"] for rung in ladder["rungs"] if not rung["seconds"]]
    name = _peak(data)
    rate = with_prefix(data["products"][name])
    said.append(f"A gain is over the rung below. MFU is of the {rate}FLOP/s that a plain product reaches in {name}.")
    if left_out:
        said.append(f"Not to be had here: {', '.join(dict.fromkeys(left_out))}.")
    return " ".join(said)


def draw(data: dict[str, Any]) -> Figure:
    ladders = data["ladders"]
    figure, (row,) = pyplot.subplots(1, len(ladders), figsize=(13, 5), squeeze=False)
    for ladder, axes in zip(ladders, row, strict=True):
        rungs = _measured(ladder)
        times = [rungs[0]["seconds"] / rung["seconds"] for rung in rungs]
        names = [rung["change"].replace(", ", ",\n") for rung in rungs]
        bars = axes.barh(names, times, color=[FORMATS[rung["format"]] for rung in rungs])
        labels = [f"{time:.1f}x, {1e3 * rung['seconds']:.3g} ms" for time, rung in zip(times, rungs, strict=True)]
        axes.bar_label(bars, labels, padding=4, fontsize=12.5)
        axes.set(title=ladder["workload"], xlabel="times the speed of the first", xlim=(0, 1.5 * max(times)))
        axes.grid(axis="y", visible=False)
    shown = dict.fromkeys(rung["format"] for ladder in ladders for rung in _measured(ladder))
    handles = [pyplot.Rectangle((0, 0), 1, 1, color=FORMATS[name], label=name) for name in shown]
    figure.legend(handles=handles, loc="outside lower center", ncols=4)
    return figure
