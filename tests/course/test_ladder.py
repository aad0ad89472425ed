"""What a step has to do is counted right; the ladder leaves out what cannot be had; the roofline says what bounds."""

import json
from dataclasses import asdict, replace
from functools import partial
from pathlib import Path

import pytest
import torch
from test_at_scale import SMALL_CASES
from torch import nn
from torch.nn.attention import SDPBackend

from bench import real_steps
from labkit.experiments import running
from labkit.labs.mixed_precision import ladder, rates, roofline, work
from labkit.labs.mixed_precision.steps import Workload, vectors

RESNET, BERT, GPT = SMALL_CASES
MLP = Workload("MLP", partial(nn.Linear, 8, 4), nn.CrossEntropyLoss(), vectors(8, 4), 6, "samples")
SIZES = roofline.Sizes(product=16, numbers=2**10, widths=(4, 16), copy=2**12)

# The work of a step -----------------------------------------------------------------------------------------------

A, B, HALF = torch.ones(8, 8), torch.ones(8, 8), torch.ones(8, 8, dtype=torch.bfloat16)
FULL, ROWS = 8 * 8 * 4, torch.tensor([1, 2])  # bytes of A; int64


@pytest.mark.parametrize(
    ("operation", "moved"),
    [
        (lambda: A + B, 3 * FULL),
        (lambda: A.add_(0), 2 * FULL),
        (lambda: A.fill_(1), FULL),
        (lambda: A.copy_(HALF), FULL + FULL // 2),
        (lambda: A.t().reshape(64), 2 * FULL),  # a view, and the copy that it needs
        (lambda: A.view(64)[:4], 0),
        (lambda: torch.empty(64), 0),
        (lambda: A + torch.ones(1).expand(8, 8), 2 * FULL + 4 + 4),  # and the 1 was written before
        (lambda: nn.functional.embedding(ROWS, A), 2 * 8 * 4 * 2 + 16),  # two rows of A, no more
        (lambda: HALF @ HALF, 3 * FULL // 2),
    ],
    ids=["add", "in place", "fill", "copy", "reshape", "view", "empty", "expanded", "embedding", "product"],
)
def test_bytes_are_those_that_operators_read_and_write(operation, moved: int) -> None:
    assert work.bytes_moved(operation) == moved


@pytest.mark.parametrize("workload", [BERT[0], RESNET[0]], ids=["BERT", "ResNet"])
def test_flops_grow_with_the_batch_and_are_counted_without_computing(workload: Workload) -> None:
    real = work.flops_of_a_sample(workload, workload.model(), "cpu")
    assert real > 0 and ladder.flops_of(workload, 3) == 3 * real


# Rates ------------------------------------------------------------------------------------------------------------


def test_narrow_products_have_little_to_do_for_each_byte() -> None:
    for name, products in rates.thin_products("cpu", 2**10, [4, 16], repeats=1).items():
        size = next(one.dtype.itemsize for one in rates.formats("cpu") if one.name == name)
        for width, product in zip((4, 16), products, strict=True):
            rows = 2**10 // width
            assert product.intensity == 2 * rows * width**2 / ((2 * rows * width + width**2) * size)
            assert product.flops_per_second > 0


def test_rates_are_operations_and_bytes_over_seconds(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rates, "interleaved_medians", lambda turns, **_: dict.fromkeys(turns, 0.5))
    formats = rates.native_formats("cpu")
    assert rates.plain_products(formats, "cpu", 16, 1) == dict.fromkeys(
        (one.name for one in formats), rates.PRODUCTS * 2 * 16**3 / 0.5
    )
    assert set(rates.copies("cpu", 2**12, 1).values()) == {rates.PRODUCTS * 2 * 2**12 / 0.5}


@pytest.mark.parametrize(
    ("number", "said"), [(1.433e15, "1.43 P"), (7.66e14, "766 T"), (6.09e10, "60.9 G"), (5e6, "5 M")]
)
def test_a_rate_has_three_digits_and_a_prefix(number: float, said: str) -> None:
    assert rates.with_prefix(number) == said


# The ladder -------------------------------------------------------------------------------------------------------


def test_rungs_are_those_of_the_model(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ladder, "native_formats", lambda device: [rates.FP8, *rates.formats("cpu")])
    words = [change for change, _ in ladder.changes(GPT[0], "cpu")]
    assert words[0].startswith("float32, attention") and words[1:3] == ["bf16 autocast", "flash attention"]
    assert "channels last" in [change for change, _ in ladder.changes(RESNET[0], "cpu")]


def test_each_rung_keeps_the_changes_below_and_a_failed_one_is_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    ways: list[ladder.Way] = []

    def timed(workload, optimizer, way, size, device, repeats) -> ladder.Timed:
        ways.append(way)
        if way.compiled:
            raise RuntimeError("no compiler\nat all")
        return ladder.Timed(None, 2.0, 0.5, 1.0)

    monkeypatch.setattr(ladder, "timed_step", timed)
    monkeypatch.setattr(ladder, "_peak", lambda step, device: 7)
    said: list[str] = []
    found = ladder.climb(*GPT, 4, "cpu", 1, said.append)
    failed = next(rung for rung in found.rungs if not rung.seconds)
    assert failed.change == "torch.compile" and failed.why == "not here: RuntimeError: no compiler"
    assert said[-2].endswith(failed.why) and len(said) == len(found.rungs)
    assert ways[0] == ladder.START
    assert ways[-1] == replace(ways[-2], compiled=False, fused=True)
    assert ways[-1].attention == SDPBackend.FLASH_ATTENTION
    assert not any(rung.change == "torch.compile" for rung in ladder.climb(*GPT, 4, "cpu", 1, print, False).rungs)


def test_a_ladder_without_a_first_rung_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(*_: object) -> None:
        raise RuntimeError("broken")

    monkeypatch.setattr(ladder, "timed_step", fails)
    with pytest.raises(RuntimeError, match="broken"):
        ladder.climb(MLP, "SGD", 2, "cpu", 1)


@pytest.mark.parametrize(("workload", "optimizer"), [RESNET, GPT], ids=["ResNet", "GPT-2"])
def test_all_rungs_begin_with_the_same_loss(workload: Workload, optimizer: str) -> None:
    found = ladder.climb(workload, optimizer, 2, "cpu", 1, say=lambda text: None, compiled=False)
    first = found.rungs[0].loss
    assert all(rung.loss == pytest.approx(first, rel=0.02) for rung in found.rungs)  # bf16 rounds to 2^-8
    assert all(rung.seconds and rung.peak_bytes for rung in found.rungs)


# What is shown of it ----------------------------------------------------------------------------------------------

ROOF = {
    "products": {"fp32": 1e12, "bf16": 8e12},
    "copies": {"fp32": 1e11, "bf16": 1e11},
    "thin": {"fp32": [{"intensity": 4.0, "flops_per_second": 3e11}], "bf16": []},
    "points": [
        # 20 operations for each byte: more than the 10 at which fp32's limits meet, less than bf16's 80.
        {"model": "M", "format": name, "flops": 2 * 10**12, "bytes_moved": 10**11, "seconds": 4.0}
        for name in ("fp32", "bf16")
    ],
}


def test_the_roofline_says_what_bounds_a_step() -> None:
    experiment = running.module("roofline")
    _, fp32, bf16 = experiment.table(ROOF)
    assert fp32 == ["M, fp32", "4000.0", "20", "arithmetic", "500", "50%", "50%"]
    assert bf16 == ["M, bf16", "4000.0", "20", "memory", "500", "25%", "6%"]
    said = experiment.notice(ROOF)
    assert "meet at 10 FLOP per byte" in said and "meet at 80 FLOP per byte" in said
    assert "so memory is its bound; it reaches 25% of the roof, an MFU of 6%" in said


def test_the_ladder_shows_gains_and_what_is_missing() -> None:
    rungs = (
        ladder.Rung("float32", "fp32", 4.0, peak_bytes=2**31),
        ladder.Rung("torch.compile", "fp32", why="not here"),
        ladder.Rung("fused optimizer", "fp32", 2.0, peak_bytes=2**20),
    )
    data = {"products": {"fp32": 1e12}, "ladders": [asdict(ladder.Ladder("M", "texts", 2, "SGD", 10**12, rungs))]}
    experiment = running.module("ladder")
    _, *rows = experiment.table(data)
    assert rows == [
        ["M, float32", "4000.0", "1.00", "1.00", "2.0 GiB", "25%"],
        ["M, torch.compile", "-", "-", "-", "-", "-"],
        ["M, fused optimizer", "2000.0", "2.00", "2.00", "1.0 MiB", "50%"],
    ]
    assert "Not to be had here: torch.compile." in experiment.notice(data)


@pytest.mark.parametrize("name", ["ladder", "roofline"])
def test_what_the_bench_writes_is_what_the_experiment_shows(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(real_steps.ladder, "climb", partial(ladder.climb, compiled=False))
    if name == "ladder":
        path = real_steps.run_ladder(lambda text: None, tmp_path, "cpu", ((MLP, "SGD"),), product_size=16, repeats=1)
    else:
        path = real_steps.run_roofline(lambda text: None, tmp_path, "cpu", ((MLP, "SGD"),), SIZES, repeats=1)
    assert path == tmp_path / f"{name}-cpu.json"
    measured = json.loads(path.read_text())
    assert measured["experiment"] == name and measured["machine"]["torch"] == torch.__version__
    experiment = running.module(name)
    headings, *rows = experiment.table(measured["data"])
    assert rows and all(len(row) == len(headings) for row in rows)
    assert running.picture(measured).startswith(b"\x89PNG")
