"""One number in each format, bit by bit."""

from types import ModuleType
from typing import Any

import torch
from matplotlib import pyplot
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from labkit.experiments.style import FORMATS

TITLE = "The number 0.1 in four formats, bit by bit"
NUMBER = 0.1
EXPONENTS = {"fp32": 8, "tf32": 8, "bf16": 8, "fp16": 5}  # bits; one more is the sign, the others are the fraction
DTYPES = {"bf16": (torch.bfloat16, torch.int16), "fp16": (torch.float16, torch.int16)}
DROPPED = 13  # of float32's 23 bits of fraction, TF32 has the first 10
SHADES = (0.75, 0.45, 0.12)  # of a format's colour, for sign, exponent and fraction


def measure(lab: ModuleType) -> dict[str, Any]:
    """The bits of NUMBER, rounded to each format, and the value that they are."""
    whole = torch.tensor(NUMBER)
    rounded = (whole.view(torch.int32) + 2 ** (DROPPED - 1)) >> DROPPED  # of magnitudes, away from zero on a tie
    found = {
        "fp32": (whole.view(torch.int32).item(), 32, whole.item()),
        "tf32": (rounded.item(), 32 - DROPPED, (rounded << DROPPED).view(torch.float32).item()),
    }
    for name, (dtype, integer) in DTYPES.items():
        half = whole.to(dtype)
        found[name] = (half.view(integer).item(), 16, half.item())
    return {
        name: {"bits": f"{pattern:0{width}b}", "value": value, "error": abs(value - NUMBER) / NUMBER}
        for name, (pattern, width, value) in found.items()
    }


def table(data: dict[str, Any]) -> list[list[str]]:
    rows = [["format", "bits", "exponent", "fraction", "value", "relative error"]]
    for name, one in data.items():
        width, exponent = len(one["bits"]), EXPONENTS[name]
        counts = str(width), str(exponent), str(width - 1 - exponent)
        rows.append([name, *counts, f"{one['value']:.10g}", f"{one['error']:.1e}"])
    return rows


def notice(data: dict[str, Any]) -> str:
    fraction = len(data["bf16"]["bits"]) - 1 - EXPONENTS["bf16"]
    return (
        f"bf16 has fp32's exponent and {fraction} bits of fraction: fp32's range, and 0.1 with a relative error of "
        f"{data['bf16']['error']:.1e}. fp16 gives three of those exponent bits to the fraction: an error of "
        f"{data['fp16']['error']:.1e}, and a range that ends at {torch.finfo(torch.float16).max:g}."
    )


def draw(data: dict[str, Any]) -> Figure:
    figure, axes = pyplot.subplots(figsize=(12, 4.6))
    for row, (name, one) in enumerate(data.items()):
        _add_bits(axes, name, one["bits"], row)
        axes.text(-0.6, row, name, ha="right", va="center", fontsize=17)
        axes.text(len(one["bits"]) + 0.4, row, f"{one['value']:.9f}", ha="left", va="center", fontsize=15)
    for start, end, text in ((0, 1, "sign"), (1, 9, "exponent: range"), (9, 32, "fraction: precision")):
        axes.annotate("", (start, -0.75), (end, -0.75), arrowprops={"arrowstyle": "|-|,widthA=0.25,widthB=0.25"})
        axes.text((start + end) / 2, -0.95, text, ha="center", va="bottom", fontsize=15)
    axes.set(xlim=(-3.2, 38.5), ylim=(len(data) - 0.4, -1.6))
    axes.axis("off")
    return figure


def _add_bits(axes: Axes, name: str, bits: str, row: int) -> None:
    line = pyplot.rcParams["text.color"]
    for place, bit in enumerate(bits):
        part = 0 if place == 0 else 1 if place <= EXPONENTS[name] else 2
        colour = (FORMATS[name], SHADES[part])
        axes.add_patch(Rectangle((place, row - 0.36), 1, 0.72, facecolor=colour, edgecolor=line, linewidth=0.8))
        axes.text(place + 0.5, row, bit, ha="center", va="center", fontsize=13)
