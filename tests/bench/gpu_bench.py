"""`make bench DEVICE=cuda`: every format at sizes that fill a GPU, as tables, limits, data and a picture."""

import datetime
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any

import torch
from matplotlib import pyplot
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from rich import box
from rich.console import Console
from rich.table import Table

from bench.gpu_steps import Result, measure, measure_what_fits
from bench.gpu_workloads import Filling, mlp, transformer
from bench.limits import Measured
from labkit.course import manifest
from labkit.course.files import check_writable, make_folder, write_json, write_whole
from labkit.course.loading import load_implementation
from labkit.course.manifest import ROOT
from labkit.experiments.style import FORMATS, saved, themed
from labkit.labs.mixed_precision.rates import has_fp8, plain_products, with_fp8
from labkit.labs.mixed_precision.training import check_device
from labkit.toolbox.measure import hardware

REPEATS = 10  # timed turns of each format; medians
PRODUCT_SIZE = 8192  # rows of the plain product's matrices: 1.1 TFLOP
SPEED_LIMIT = 2.1  # times fp32's speed, at least


@dataclass(frozen=True)
class Report:
    """A whole run: when, on what, FLOP/s of a plain product by format, and each workload's result."""

    date: str
    machine: dict[str, Any]
    product_size: int
    products: dict[str, float]
    results: tuple[Result, ...]

    def heading(self) -> str:
        """Hardware, versions and date in one line."""
        machine = self.machine
        cuda = f", CUDA {machine['cuda']}" if machine["cuda"] else ""
        return f"{machine['gpu'] or machine['cpu']}, torch {machine['torch']}{cuda}, {self.date}"


def run_gpu_bench(
    console: Console,
    out: Path = ROOT / "runs",
    device: str = "cuda",
    workloads: tuple[Filling, ...] = (transformer(), mlp()),
    product_size: int = PRODUCT_SIZE,
    repeats: int = REPEATS,
) -> Report:
    """Measures all of it, says it, and writes `out`/bench-DEVICE.json and .png.

    Raises LabError if `device` is cuda and there is none, if `out` cannot be written, or if nothing fits into memory.
    """
    check_device(device)
    paths = out / f"bench-{device}.json", out / f"bench-{device}.png"
    make_folder(out, "bench:")
    for path in paths:
        check_writable(path, "bench")

    def say(text: str) -> None:
        console.print(text, markup=False, highlight=False, soft_wrap=True)

    lab = load_implementation(manifest.find("mixed_precision").paths.solution)
    products = plain_products(with_fp8(device), device, product_size, repeats)
    say(f"A plain product of {product_size} x {product_size} matrices")
    console.print(products_table(products), highlight=False)
    say(
        "fp8: only its plain product; the course's trainer does not train in it"
        if has_fp8(device)
        else "fp8: this hardware does not multiply in it"
    )
    results = []
    for workload in workloads:
        measuring = partial(measure, lab, workload, device=device, products=products, repeats=repeats)
        result = measure_what_fits(workload, device, measuring, say)
        say(f"\n{title(result)}")
        console.print(result_table(result), highlight=False)
        for row in result.rows:
            if row.skipped:
                say(f"{row.format}: skipped {row.skipped} of {row.steps} steps")
        results.append(result)
    report = Report(datetime.date.today().isoformat(), machine(device), product_size, products, tuple(results))
    say("GiB: peak of a step. Share: of the FLOP/s that the plain product reaches in the format.")
    say(f"\nMeasured on {report.heading()}")
    for result in results:
        for measured in limits(result):
            say(str(measured))
    write_json(paths[0], asdict(report) | {"made by": f"make bench DEVICE={device}"})
    with themed():
        write_whole(paths[1], saved(draw(report)))
    say(f"Picture: {paths[1]}, data: {paths[0].name}")
    return report


def machine(device: str) -> dict[str, Any]:
    """What was measured on. Whether tf32 is on is left out: each row sets it for itself."""
    found: dict[str, Any] = {name: value for name, value in hardware().items() if name != "tf32"} | {"cuda": None}
    if device == "cuda":
        properties = torch.cuda.get_device_properties()
        found |= {
            "cuda": torch.version.cuda or torch.version.hip,
            "compute capability": f"{properties.major}.{properties.minor}",
            "gpu memory, GiB": round(properties.total_memory / 2**30, 1),
        }
    return found


def products_table(products: dict[str, float]) -> Table:
    table = Table("Format", box=box.MARKDOWN)
    table.add_column("TFLOP/s", justify="right")
    for name, rate in products.items():
        table.add_row(name, f"{rate / 1e12:.3g}")
    return table


def title(result: Result) -> str:
    """The workload, its batch, and how much of fp32's peak activations are."""
    base = result.rows[0]
    return (
        f"{result.name}, AdamW, batch {result.batch_size}, {result.flops / 1e12:.3g} TFLOP a step; saved activations "
        f"are {base.saved_activation_bytes / base.peak_bytes:.0%} of fp32's peak"
    )


def result_table(result: Result) -> Table:
    """A row a format: milliseconds of a step, peak memory, and the share of what a plain product reaches."""
    table = Table("Format", box=box.MARKDOWN)
    for heading in ("ms", "Speed", f"{result.unit}/s", "GiB", "of fp32", "TFLOP/s", "share"):
        table.add_column(heading, justify="right")
    for row in result_rows(asdict(result)):
        table.add_row(*row)
    return table


def result_rows(result: dict[str, Any]) -> list[list[str]]:
    """The cells of a workload's rows; `result` as in the data."""
    base = result["rows"][0]
    return [
        [
            row["format"],
            f"{row['seconds'] * 1e3:.1f}",
            f"{base['seconds'] / row['seconds']:.2f}x",
            f"{row['per_second']:,.0f}",
            f"{row['peak_bytes'] / 2**30:.1f}",
            f"{row['peak_bytes'] / base['peak_bytes']:.0%}",
            f"{row['flops_per_second'] / 1e12:.3g}",
            f"{row['share']:.0%}",
        ]
        for row in result["rows"]
    ]


def page_rows(data: dict[str, Any]) -> list[list[str]]:
    """All of bench-DEVICE.json as one table, headings first: the plain products, then the steps of each workload."""
    rows = [["what", "ms", "speed", "a second", "GiB", "of fp32", "TFLOP/s", "of a product's"]]
    size = data["product_size"]
    for name, rate in data["products"].items():
        rows.append([f"product of {size} x {size}, {name}", *["-"] * 5, f"{rate / 1e12:.0f}", "-"])
    for result in data["results"]:
        for name, *cells in result_rows(result):
            cells[2] += f" {result['unit']}"
            rows.append([f"{result['name']}, {name}", *cells])
    return rows


def limits(result: Result) -> list[Measured]:
    """What the course asks of bf16 (of fp16 on a GPU without it) against fp32."""
    rows = {row.format: row for row in result.rows}
    base, half = rows["fp32"], rows.get("bf16") or rows["fp16"]
    memory = 100 * half.peak_bytes / base.peak_bytes
    what = f"{result.name}, {half.format}"
    return [
        Measured(f"{what}: speed", base.seconds / half.seconds, "x", SPEED_LIMIT, at_least=True),
        Measured(f"{what}: peak memory", memory, "%", result.memory_limit),
    ]


def draw(report: Report) -> Figure:
    """Two panels, a group of bars for each workload: speed against fp32, and peak memory."""
    figure, (speed, memory) = pyplot.subplots(1, 2, figsize=(11, 5.4))
    speeds = [{row.format: r.rows[0].seconds / row.seconds for row in r.rows} for r in report.results]
    shares = [{row.format: 100 * row.peak_bytes / r.rows[0].peak_bytes for row in r.rows} for r in report.results]
    _bars(speed, report.results, speeds, "{:.2g}x")
    _bars(memory, report.results, shares, "{:.0f}%")
    speed.set(title="Speed of a training step", ylabel="fp32's time / this format's time")
    memory.set(title="Peak memory of a training step", ylabel="percent of fp32")
    figure.legend(*speed.get_legend_handles_labels(), loc="outside lower center", ncols=4)
    figure.suptitle(report.heading(), fontsize=12.5)
    return figure


def _bars(axes: Axes, results: tuple[Result, ...], heights: list[dict[str, float]], label: str) -> None:
    names = list(heights[0])
    for number, name in enumerate(names):
        places = [group + (number - (len(names) - 1) / 2) * 0.8 / len(names) for group in range(len(results))]
        bars = axes.bar(places, [one[name] for one in heights], 0.76 / len(names), color=FORMATS[name], label=name)
        axes.bar_label(bars, fmt=label, fontsize=11, padding=2)
    axes.set_xticks(range(len(results)), [result.name.replace(" (", "\n(") for result in results], fontsize=11.5)
    axes.grid(axis="x", visible=False)
    axes.margins(y=0.1)
