"""The ladder and the roofline of a GPU on models of real size, as JSON that the experiments of these names show."""

import datetime
from collections.abc import Callable
from dataclasses import asdict, replace
from functools import partial
from pathlib import Path
from typing import Any

from bench.gpu_bench import machine
from bench.gpu_steps import measure_what_fits
from labkit.course.files import check_writable, make_folder, write_json
from labkit.course.manifest import ROOT
from labkit.labs.mixed_precision import ladder, roofline
from labkit.labs.mixed_precision.at_scale import CASES
from labkit.labs.mixed_precision.rates import native_formats, plain_products
from labkit.labs.mixed_precision.steps import Workload
from labkit.labs.mixed_precision.training import check_device

Case = tuple[Workload, str]  # and the name of its optimizer

FILLING = {"ResNet-50": 256, "BERT-base": 256, "GPT-2 small": 16}  # samples of a step on a GPU of 80 GB
FILLED = tuple((replace(workload, batch_size=FILLING[workload.name]), optimizer) for workload, optimizer in CASES)
CLIMBED = tuple(case for case in reversed(FILLED) if case[0].name != "BERT-base")  # its rungs are GPT-2's
# Copies and thin matrices many times as large as the caches.
SIZES = roofline.Sizes(8192, 2**27, (16, 32, 64, 128, 256, 512, 1024, 2048, 4096, 8192), 2**30)
REPEATS = 12


def run_ladder(
    say: Callable[[str], None],
    out: Path = ROOT / "runs",
    device: str = "cuda",
    cases: tuple[Case, ...] = CLIMBED,
    product_size: int = SIZES.product,
    repeats: int = REPEATS,
) -> Path:
    """Measures the ladder of each model and writes `out`/ladder-DEVICE.json, again after each model."""
    path, report = _begin(out, device, "ladder")
    products = plain_products(native_formats(device), device, product_size, repeats)
    ladders: list[dict[str, Any]] = []
    for workload, optimizer in cases:
        climb = partial(ladder.climb, workload, optimizer, device=device, repeats=repeats, say=say)
        ladders.append(asdict(measure_what_fits(workload, device, climb, say)))
        write_json(path, report | {"data": {"products": products, "ladders": ladders}})
    return path


def run_roofline(
    say: Callable[[str], None],
    out: Path = ROOT / "runs",
    device: str = "cuda",
    cases: tuple[Case, ...] = FILLED,
    sizes: roofline.Sizes = SIZES,
    repeats: int = REPEATS,
) -> Path:
    """Measures the roof, then each model below it, and writes `out`/roofline-DEVICE.json, again after each model."""
    path, report = _begin(out, device, "roofline")
    found = roofline.roof(device, sizes, repeats)
    for workload, optimizer in cases:
        say(f"{workload.name}: a step in each format")
        below = partial(roofline.points, workload, optimizer, device=device, repeats=repeats)
        found = replace(found, points=(*found.points, *measure_what_fits(workload, device, below, say)))
        write_json(path, report | {"data": asdict(found)})
    return path


def _begin(out: Path, device: str, name: str) -> tuple[Path, dict[str, Any]]:
    check_device(device)
    make_folder(out, "bench:")
    path = out / f"{name}-{device}.json"
    check_writable(path, "bench")
    made = {
        "experiment": name,
        "made by": f"make bench DEVICE={device}",
        "date": datetime.date.today().isoformat(),
        "machine": machine(device),
    }
    return path, made
