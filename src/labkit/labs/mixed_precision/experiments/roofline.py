"""What bounds a step here, arithmetic or memory: the roofline of this machine, and steps of small models below it."""

from dataclasses import asdict, replace
from types import ModuleType
from typing import Any

from matplotlib import pyplot
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import NullFormatter

from labkit.experiments.style import FORMATS
from labkit.labs.mixed_precision import roofline, small_models
from labkit.labs.mixed_precision.rates import with_prefix
from labkit.toolbox.measure import one_thread

TITLE = "The roofline of this machine, on one thread: what bounds a step, and how near to its bound it comes"
TIMED = True
CASES = small_models.CASES
# A matrix beyond the caches; rows for which a narrow product is bounded by memory, a wide one by arithmetic.
SIZES = roofline.Sizes(product=512, numbers=2**20, widths=(4, 8, 16, 32, 64, 128, 256, 512), copy=2**26)
REPEATS = 3
MARKERS = "s^Dov"


def measure(lab: ModuleType) -> dict[str, Any]:
    """FLOP/s of products and bytes in a second of copies by format; of each model's step its work and its seconds."""
    with one_thread():
        found = roofline.roof("cpu", SIZES, REPEATS)
        for workload, optimizer in CASES:
            below = roofline.points(workload, optimizer, workload.batch_size, "cpu", REPEATS)
            found = replace(found, points=(*found.points, *below))
    return asdict(found)


def _intensity(point: dict[str, Any]) -> float:
    """Operations for each byte."""
    return point["flops"] / point["bytes_moved"]


def _rate(point: dict[str, Any]) -> float:
    return point["flops"] / point["seconds"]


def _bandwidth(data: dict[str, Any], name: str) -> float:
    """Bytes in a second; tf32 is stored as float32."""
    return data["copies"]["fp32" if name == "tf32" else name]


def _ridge(data: dict[str, Any], name: str) -> float:
    """The intensity from which on arithmetic is the bound."""
    return data["products"][name] / _bandwidth(data, name)


def _roof(data: dict[str, Any], point: dict[str, Any]) -> float:
    """The most FLOP/s at the point's intensity."""
    name = point["format"]
    return min(data["products"][name], _bandwidth(data, name) * _intensity(point))


def table(data: dict[str, Any]) -> list[list[str]]:
    rows = [["step", "ms", "FLOP/byte", "bound", "GFLOP/s", "of the roof", "MFU"]]
    for point in data["points"]:
        name = point["format"]
        rows.append(
            [
                f"{point['model']}, {name}",
                f"{1e3 * point['seconds']:.1f}",
                f"{_intensity(point):.0f}",
                _bound(data, point),
                f"{_rate(point) / 1e9:,.0f}",
                f"{_rate(point) / _roof(data, point):.0%}",
                f"{_rate(point) / data['products'][name]:.0%}",
            ]
        )
    return rows


def _bound(data: dict[str, Any], point: dict[str, Any]) -> str:
    return "arithmetic" if _intensity(point) >= _ridge(data, point["format"]) else "memory"


def notice(data: dict[str, Any]) -> str:
    last = data["points"][-1]["model"]
    steps = {point["format"]: point for point in data["points"] if point["model"] == last}
    names = [name for name in ("fp32", "bf16") if name in steps] or list(steps)
    ridges = [
        f"in {name} a product reaches {with_prefix(data['products'][name])}FLOP/s and a copy "
        f"{with_prefix(_bandwidth(data, name))}B/s, which meet at {_ridge(data, name):.0f} FLOP per byte"
        for name in names
    ]
    said = []
    for name in names:
        rate, point = _rate(steps[name]), steps[name]
        said.append(
            f"in {name} it has {_intensity(point):.0f} FLOP per byte, so {_bound(data, point)} is its bound; it "
            f"reaches {rate / _roof(data, point):.0%} of the roof, an MFU of {rate / data['products'][name]:.0%}"
        )
    ridge, step = "; ".join(ridges), "; ".join(said)
    return f"{ridge[0].upper()}{ridge[1:]}. A step of {last}: {step}."


def draw(data: dict[str, Any]) -> Figure:
    figure, axes = pyplot.subplots(figsize=(11, 6.4))
    thin = [one for products in data["thin"].values() for one in products]
    least = min(one["intensity"] for one in thin) / 2
    most = 2 * max([*(one["intensity"] for one in thin), *map(_intensity, data["points"])])
    edge = pyplot.rcParams["text.color"]
    top = max(data["products"], key=lambda name: _ridge(data, name))
    axes.plot([least, _ridge(data, top)], [_bandwidth(data, top) * least, data["products"][top]], color=edge)
    above = float("inf")
    for name, peak in sorted(data["products"].items(), key=lambda pair: -pair[1]):
        axes.plot([_ridge(data, name), most], [peak, peak], color=FORMATS[name])
        label = f"{name} {with_prefix(peak)}FLOP/s"
        right = peak < 0.9 * above  # a label at the left where the next line is too near
        place: dict[str, Any] = {"textcoords": "offset points", "fontsize": 12, "ha": "right" if right else "left"}
        axes.annotate(label, (most if right else 1.6 * _ridge(data, name), peak), (0, 5), **place)
        dots = data["thin"].get(name, ())
        rates = [one["flops_per_second"] for one in dots]
        axes.plot([one["intensity"] for one in dots], rates, ".", color=FORMATS[name])
        above = peak
    models = list(dict.fromkeys(point["model"] for point in data["points"]))
    for point in data["points"]:
        marker, colour = MARKERS[models.index(point["model"])], FORMATS[point["format"]]
        look: dict[str, Any] = {"color": colour, "markersize": 12, "markeredgecolor": edge, "markeredgewidth": 1.3}
        axes.plot(_intensity(point), _rate(point), marker, zorder=4, **look)
    axes.set(xscale="log", yscale="log", xlabel="FLOP per byte (arithmetic intensity)", ylabel="FLOP per second")
    axes.yaxis.set_minor_formatter(NullFormatter())
    handles = [Line2D([], [], color=FORMATS[name], label=name) for name in data["products"]]
    handles.append(Line2D([], [], color=edge, marker=".", linestyle="", label="matrix product"))
    for marker, model in zip(MARKERS, models, strict=False):
        handles.append(Line2D([], [], color=edge, marker=marker, linestyle="", markersize=9, label=f"{model}, a step"))
    figure.legend(handles=handles, loc="outside lower center", ncols=5)
    return figure
