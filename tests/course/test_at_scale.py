"""Memory counted without computing: it is that of real steps, byte for byte, and the models are what they are named."""

import json
from collections.abc import Callable
from dataclasses import replace
from functools import partial

import pytest
import torch
from commandline import run, solution
from page_checks import ROOT
from torch import nn

import labkit.labs.mixed_precision.compare
from labkit.experiments import running
from labkit.labs.mixed_precision.at_scale import CASES, WAYS, Masters, counted, held
from labkit.labs.mixed_precision.real_models import GPT2, Bert, ResNet
from labkit.labs.mixed_precision.steps import Workload, images, texts, tokens
from labkit.labs.mixed_precision.timeline import STATE, WEIGHTS
from labkit.toolbox.measure import nothing_computed

NAME = "memory-at-scale"
SMALL = {
    "ResNet-50": (partial(ResNet, width=8, depths=(1, 1), classes=10), images(side=32, classes=10)),
    "BERT-base": (partial(Bert, vocabulary=100, length=16, dim=32, depth=1, heads=4), texts(100, 16, classes=2)),
    "GPT-2 small": (partial(GPT2, vocabulary=100, length=16, dim=32, depth=1, heads=4), tokens(100, 16)),
}


def small(workload: Workload) -> Workload:
    model, batch = SMALL[workload.name]
    return replace(workload, model=model, batch=batch, batch_size=4)


SMALL_CASES = tuple((small(workload), optimizer) for workload, optimizer in CASES)


@pytest.mark.parametrize(
    ("make", "parameters"),
    # ResNet-50 as torchvision counts it; BERT-base with pooler and two classes; GPT-2 small, the tied head once.
    [(ResNet, 25_557_032), (Bert, 109_483_778), (GPT2, 124_439_808)],
)
def test_a_model_has_as_many_parameters_as_its_name_says(make: Callable[[], nn.Module], parameters: int) -> None:
    with nothing_computed():
        assert sum(parameter.numel() for parameter in make().parameters()) == parameters


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize(("one", "optimizer"), SMALL_CASES, ids=lambda part: getattr(part, "name", part))
def test_a_counted_step_is_a_real_step_to_the_byte(one: Workload, optimizer: str, way: str) -> None:
    real, fake = (find(one, optimizer, WAYS[way]) for find in (held, counted))
    assert sum(real.parts.values()) == real.memory.peak_bytes
    if one.name == "ResNet-50" and WAYS[way].autocast:
        # Mean and deviation of each channel: float32 in a real step, 16 bits in PyTorch's fake kernel.
        norms = [module for module in one.model().modules() if isinstance(module, nn.BatchNorm2d)]
        missing = 2 * 2 * sum(norm.num_features for norm in norms)
        assert real.memory.saved_activation_bytes - fake.memory.saved_activation_bytes == missing
        assert 0 <= real.memory.peak_bytes - fake.memory.peak_bytes <= missing
    else:
        assert fake == real


@pytest.mark.parametrize(("way", "bytes_each"), [("fp32", 12), ("bf16 autocast", 12), ("bf16, fp32 masters", 14)])
def test_weights_and_adams_state_have_their_bytes_a_parameter(way: str, bytes_each: int) -> None:
    one, optimizer = SMALL_CASES[1]
    parameters = [parameter.numel() for parameter in one.model().parameters()]
    parts = held(one, optimizer, WAYS[way]).parts
    assert parts[WEIGHTS] + parts[STATE] == bytes_each * sum(parameters) + 4 * len(parameters)  # AdamW counts its steps


def test_masters_take_an_update_that_bf16_weights_miss() -> None:
    weight = nn.Parameter(torch.ones(1, dtype=torch.bfloat16))
    masters = Masters([weight], partial(torch.optim.SGD, lr=2.0**-10))  # an eighth of bf16's spacing below 1 is lost
    for _ in range(8):
        weight.grad = torch.ones_like(weight)
        masters.step()
    assert weight.item() == masters.masters[0].item() == 1 - 2.0**-7
    assert weight.grad is None and masters.masters[0].grad is None


def test_default_dtype_is_as_before() -> None:
    counted(*SMALL_CASES[1], WAYS["all bf16"])
    assert torch.get_default_dtype() == torch.float32


def test_the_table_has_every_model_in_every_way() -> None:
    data = json.loads((ROOT / "docs" / "figures" / f"{NAME}.json").read_text())["data"]
    headings, *rows = running.module(NAME).table(data)
    assert [row[0] for row in rows] == [f"{workload.name}, {way}" for workload, _ in CASES for way in WAYS]
    assert all(len(row) == len(headings) and all(row) for row in rows)


def test_what_was_counted_for_the_pages_is_what_they_say() -> None:
    models = json.loads((ROOT / "docs" / "figures" / f"{NAME}.json").read_text())["data"]["models"]
    saved = {name: one["ways"]["bf16 autocast"]["saved"] / one["ways"]["fp32"]["saved"] for name, one in models.items()}
    assert saved["ResNet-50"] == pytest.approx(1 / 2, abs=0.05)
    assert saved["BERT-base"] == pytest.approx(2 / 3, abs=0.05) and saved["GPT-2 small"] == pytest.approx(
        2 / 3, abs=0.05
    )
    for one in models.values():
        full, half = (one["ways"][way]["at the peak"] for way in ("fp32", "bf16 autocast"))
        assert [full[part] for part in (WEIGHTS, STATE)] == [half[part] for part in (WEIGHTS, STATE)]
        assert one["ways"]["all bf16"]["peak"] == pytest.approx(one["ways"]["fp32"]["peak"] / 2, rel=0.03)


def test_compare_ends_with_the_table(monkeypatch: pytest.MonkeyPatch) -> None:
    compare = labkit.labs.mixed_precision.compare
    experiment = running.module(NAME)
    monkeypatch.setattr(compare, "print_comparison", lambda lab, device: None)
    monkeypatch.setattr(experiment, "CASES", SMALL_CASES[2:])
    monkeypatch.setattr(compare, "module", lambda name: experiment)
    out = run(solution(), "--compare").out
    assert out.count("GPT-2 small, ") == len(WAYS) and "Notice: GPT-2 small: 4 texts" in out
    assert max(map(len, out.splitlines())) <= 80
