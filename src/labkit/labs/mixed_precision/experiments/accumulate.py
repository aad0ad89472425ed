"""What is left of a sum of many small addends, when the running sum is kept in each format."""

from types import ModuleType
from typing import Any

import torch
from matplotlib import pyplot
from matplotlib.figure import Figure

from labkit.experiments.style import FORMATS

TITLE = "Adding 0.001 again and again, the running sum rounded to each format"
ADDEND = 1e-3
COUNT = 2**16
DTYPES = {"fp32": torch.float32, "fp16": torch.float16, "bf16": torch.bfloat16}
POINTS = [2**power for power in range(17)]


def measure(lab: ModuleType) -> dict[str, Any]:
    """Sums after 1, 2, 4, ... addends: each running sum is rounded after every addition."""
    sums: dict[str, list[float]] = {}
    for name, dtype in DTYPES.items():
        running, addend = torch.zeros((), dtype=dtype), torch.tensor(ADDEND, dtype=dtype)
        sums[name] = []
        for count in range(1, COUNT + 1):
            running += addend
            if count in POINTS:
                sums[name].append(running.item())
    stalled = {name: next(p for p, s in zip(POINTS, kept, strict=True) if s == kept[-1]) for name, kept in sums.items()}
    return {"counts": POINTS, "exact": [ADDEND * count for count in POINTS], "sums": sums, "stalled": stalled}


def table(data: dict[str, Any]) -> list[list[str]]:
    rows = [["addends", "exact", *data["sums"]]]
    for number in range(4, len(data["counts"]), 4):
        sums = [f"{kept[number]:.5g}" for kept in data["sums"].values()]
        rows.append([str(data["counts"][number]), f"{data['exact'][number]:.5g}", *sums])
    return rows


def notice(data: dict[str, Any]) -> str:
    ends = {name: kept[-1] for name, kept in data["sums"].items()}
    return (
        f"Of {data['exact'][-1]:.4g} the fp16 sum reaches {ends['fp16']:.4g} and the bf16 sum {ends['bf16']:.4g}: once "
        f"the sum is so large that an addend is less than half of its last bit, adding changes nothing. fp32 ends at "
        f"{ends['fp32']:.5g}."
    )


def draw(data: dict[str, Any]) -> Figure:
    ink = pyplot.rcParams["text.color"]
    figure, axes = pyplot.subplots(figsize=(9, 5))
    for name, sums in data["sums"].items():
        axes.plot(data["counts"], sums, "o-", color=FORMATS[name], label=name)
        stalled = data["stalled"][name]
        if stalled < data["counts"][-1]:
            spot = (stalled, sums[-1])
            axes.plot(*spot, "o", color="none", markeredgecolor=ink, markersize=13, markeredgewidth=1.5)
            axes.annotate(f"stays at {sums[-1]:.3g}", spot, (8, -22), textcoords="offset points")
    axes.plot(data["counts"], data["exact"], ":", color=ink, label="exact")
    axes.set(yscale="log", xlabel="addends of 0.001", ylabel="running sum")
    axes.set_xscale("log", base=2)
    axes.set_xticks(data["counts"][::2], [str(count) for count in data["counts"][::2]])
    handles, labels = axes.get_legend_handles_labels()
    axes.legend(handles[-1:] + handles[:-1], labels[-1:] + labels[:-1])  # from the top line to the lowest
    return figure
