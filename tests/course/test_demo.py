"""The demo: it runs, says what it measured, and leaves a picture; its emulated float16 rounds as float16 does."""

import re
from functools import partial
from pathlib import Path

import pytest
import torch
from commandline import SOLUTION, solution
from test_compare import TINY
from torch.nn import functional as F

import labkit.labs.mixed_precision.compare
import labkit.labs.mixed_precision.demo
from labkit.course.errors import LabError
from labkit.labs.mixed_precision.deep import UNSCALED, DeepRun
from labkit.labs.mixed_precision.demo import notice, run_demo
from labkit.labs.mixed_precision.training import Settings, StepRecord, Training
from labkit.toolbox.emulation import EmulatedHalf
from labkit.toolbox.models import DeepSigmoid


@pytest.fixture
def small_comparison(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        labkit.labs.mixed_precision.demo,
        "print_comparison",
        partial(labkit.labs.mixed_precision.compare.print_comparison, workloads=(TINY,)),
    )


@pytest.mark.parametrize("quick", [True, False])
def test_the_demo_runs_and_leaves_a_picture(
    quick: bool, tmp_path: Path, small_comparison: None, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
) -> None:
    monkeypatch.setattr(labkit.labs.mixed_precision.demo, "float16_is_quick", lambda lab, steps, budget: quick)
    picture = run_demo(SOLUTION, tmp_path / "runs", deep_steps=3, budget=0.5)
    out = capsys.readouterr().out
    assert picture == tmp_path / "runs" / "demo.png" and picture.read_bytes().startswith(b"\x89PNG")
    assert max(len(line) for line in out.splitlines() if str(picture) not in line) <= 80
    assert ("emulated fp16" in out) == (not quick)
    for part in (
        "loss scale from 2^24",
        "| Format | Memory",
        "Lab 04 Milestone",
        "What to notice",
        "One seed",
        "Underflow:",
    ):
        assert part in out
    assert int(re.search(r"Skipped Steps: (\d+)", out)[1]) > 0


def test_what_to_notice_comes_from_the_measured_numbers() -> None:
    training = Training(solution(), Settings(epochs=1, batch_size=800, init_scale=2.0**24))
    while not training.finished:
        training.step()

    def deep(loss: float, zeros: float) -> DeepRun:
        return DeepRun([StepRecord(loss, False, 1.0, 8)] * 3, zeros, 0.9, 1.0)

    runs = {"fp32": deep(0.11, 0), "bf16": deep(0.22, 0), "fp16": deep(0.33, 0.05), UNSCALED: deep(4.44, 0.97)}
    loss = training.final_loss
    lines = notice({"fp32": training, "fp16": training}, [0.5, 0.7, 0.6], runs, [])
    assert lines[0].startswith("Loss scale: 2 skipped steps took it from 2^24 to 2^22;")
    assert "in fp32 alone 3 seeds end between 0.5000 and 0.7000" in lines[1]
    assert f"with one seed, between {loss:.4f} and {loss:.4f}" in lines[1]
    assert "ends at a loss of 4.440 in fp16, with it at 0.330 (fp32 0.110)" in lines[2]
    assert "97% are exactly zero, with loss scaling 5%" in lines[2]
    assert "ends at 0.220" in lines[3]


def test_a_folder_that_cannot_be_made_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "runs").write_text("a file")
    with pytest.raises(LabError, match="runs"):
        run_demo(SOLUTION, tmp_path / "runs")


def test_emulated_float16_agrees_with_real_float16() -> None:
    torch.manual_seed(0)
    model = DeepSigmoid(depth=2)
    inputs, labels = torch.rand(32, 64), torch.randint(10, (32,))

    def gradients(emulated: bool, scale: float) -> list[torch.Tensor]:
        model.zero_grad()
        with torch.autocast("cpu", torch.float16, enabled=not emulated):
            outputs = EmulatedHalf(model)(inputs) if emulated else model(inputs)
        (F.cross_entropy(outputs.float(), labels) * scale).backward()
        return [parameter.grad.clone() / scale for parameter in model.parameters()]

    for real, emulated in zip(gradients(False, 1024.0), gradients(True, 1024.0), strict=True):
        # Both round to 11 bits, at other places of the sums: a unit in the last place of the largest gradient.
        torch.testing.assert_close(emulated, real, rtol=0.0, atol=2**-10 * float(real.abs().max()))


def test_emulated_float16_underflows_and_overflows() -> None:
    torch.manual_seed(0)
    model = EmulatedHalf(DeepSigmoid())
    inputs = torch.rand(1024, 64)
    labels = torch.randint(10, (1024,))

    def first_gradient(scale: float) -> torch.Tensor:
        model.zero_grad()
        (F.cross_entropy(model(inputs), labels) * scale).backward()
        return model.model[0].weight.grad

    assert (first_gradient(1.0) == 0).float().mean() > 0.9
    assert (first_gradient(2.0**16) == 0).float().mean() < 0.2
    first_gradient(2.0**40)
    assert not model.model[-1].bias.grad.isfinite().all()
