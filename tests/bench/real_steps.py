"""The ladder and the roofline, on the models of real size and on a laptop on small ones of the same kinds, as JSON."""

import datetime
from collections.abc import Callable
from dataclasses import asdict, replace
from functools import partial
from pathlib import Path
from typing import Any

from torch import nn

from bench.gpu_bench import machine
from bench.gpu_steps import measure_what_fits
from labkit.course.files import check_writable, make_folder, write_json
from labkit.course.manifest import ROOT
from labkit.labs.mixed_precision import ladder, roofline
from labkit.labs.mixed_precision.at_scale import CASES
from labkit.labs.mixed_precision.rates import native_formats, plain_products
from labkit.labs.mixed_precision.real_models import GPT2, Bert, ResNet
from labkit.labs.mixed_precision.steps import TokenCrossEntropy, Workload, images, texts, tokens
from labkit.labs.mixed_precision.training import check_device

Case = tuple[Workload, str]  # and the name of its optimizer

FILLING = {"ResNet-50": 256, "BERT-base": 256, "GPT-2 small": 16}  # samples of a step on a GPU of 80 GB
SMALL = (
    (
        Workload(
            "small ResNet",
            partial(ResNet, width=16, depths=(1, 1, 1, 1), classes=10),
            nn.CrossEntropyLoss(),
            images(64, 10),
            32,
            "images of 64 x 64",
        ),
        "SGD",
    ),
    (
        Workload(
            "small BERT",
            partial(Bert, vocabulary=1024, length=128, dim=256, depth=2, heads=4),
            nn.CrossEntropyLoss(),
            texts(1024, 128, 2),
            16,
            "texts of 128 tokens",
        ),
        "AdamW",
    ),
    (
        Workload(
            "small GPT-2",
            partial(GPT2, vocabulary=1024, length=256, dim=256, depth=4, heads=4),
            TokenCrossEntropy(),
            tokens(1024, 256),
            8,
            "texts of 256 tokens",
        ),
        "AdamW",
    ),
)
REPEATS = {"cuda": 12, "cpu": 7}


def cases(device: str) -> list[Case]:
    if device == "cpu":
        return list(SMALL)
    return [(replace(workload, batch_size=FILLING[workload.name]), optimizer) for workload, optimizer in CASES]


def run_ladder(
    say: Callable[[str], None],
    out: Path = ROOT / "runs",
    device: str = "cuda",
    some: list[Case] | None = None,
    sizes: roofline.Sizes | None = None,
    repeats: int | None = None,
) -> Path:
    """Measures the ladder of each model and writes `out`/ladder-DEVICE.json, again after each model."""
    path, report, repeats = _begin(out, device, "ladder", repeats)
    products = plain_products(native_formats(device), device, (sizes or roofline.SIZES[device]).product, repeats)
    ladders: list[dict[str, Any]] = []
    for workload, optimizer in some or [case for case in reversed(cases(device)) if "BERT" not in case[0].name]:
        climb = partial(ladder.climb, workload, optimizer, device=device, repeats=repeats, say=say)
        ladders.append(asdict(measure_what_fits(workload, device, climb, say)))
        write_json(path, report | {"products": products, "ladders": ladders})
    return path


def run_roofline(
    say: Callable[[str], None],
    out: Path = ROOT / "runs",
    device: str = "cuda",
    some: list[Case] | None = None,
    sizes: roofline.Sizes | None = None,
    repeats: int | None = None,
) -> Path:
    """Measures the roof, then each model below it, and writes `out`/roofline-DEVICE.json, again after each model."""
    path, report, repeats = _begin(out, device, "roofline", repeats)
    found = roofline.roof(device, sizes or roofline.SIZES[device], repeats)
    write_json(path, report | asdict(found))
    for workload, optimizer in some or cases(device):
        say(f"{workload.name}: a step in each format")
        below = partial(roofline.points, workload, optimizer, device=device, repeats=repeats)
        found = replace(found, points=(*found.points, *measure_what_fits(workload, device, below, say)))
        write_json(path, report | asdict(found))
    return path


def _begin(out: Path, device: str, name: str, repeats: int | None) -> tuple[Path, dict[str, Any], int]:
    check_device(device)
    make_folder(out, "bench:")
    path = out / f"{name}-{device}.json"
    check_writable(path, "bench")
    made = {
        "date": datetime.date.today().isoformat(),
        "machine": machine(device),
        "made by": f"make bench DEVICE={device}",
    }
    return path, made, repeats or REPEATS[device]
