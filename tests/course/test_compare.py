"""The comparison of formats: measured rows, honest words, and a bounded cost."""

import math
import time

import pytest
import torch
from commandline import run, solution
from torch import nn

import labkit.labs.mixed_precision.compare
from labkit.course.errors import LabError
from labkit.labs.mixed_precision.compare import (
    Comparison,
    Row,
    compare,
    counted_memory,
    print_comparison,
    stability,
)
from labkit.labs.mixed_precision.steps import Workload, memory, subject, vectors
from labkit.toolbox.measure import StepMemory

TINY = Workload(
    name="tiny",
    model=lambda: nn.Sequential(nn.Linear(64, 128), nn.GELU(), nn.Linear(128, 10)),
    criterion=nn.CrossEntropyLoss(),
    batch=vectors(width=64, classes=10),
    batch_size=512,
    samples="samples",
)


def rows(fp16_seconds: float) -> tuple[Row, ...]:
    full, half = StepMemory(4 * 2**20, 3 * 2**20), StepMemory(3 * 2**20, 2 * 2**20)
    return Row("fp32", full, 0.010, "a"), Row("fp16", half, fp16_seconds, "b"), Row("bf16", half, 0.005, "c")


def cells(comparison: Comparison) -> list[list[str]]:
    return [list(column.cells) for column in comparison.table().columns]


def test_every_format_has_a_measured_row() -> None:
    comparison = compare(solution(), TINY, budget=120.0)
    assert [row.format for row in comparison.rows] == ["fp32", "fp16", "bf16"]
    fp32, fp16, bf16 = comparison.rows
    assert fp16.memory == bf16.memory
    assert fp16.memory.peak_bytes < 0.9 * fp32.memory.peak_bytes
    assert all(row.seconds > 0 for row in comparison.rows)
    assert fp32.stability.endswith("0 skipped")
    assert "skipped at scale 65536" in fp16.stability
    assert bf16.stability.endswith("no scaler needed")


def test_the_table_gives_percent_and_ratio_of_fp32() -> None:
    formats, memory, speed, _ = cells(Comparison(TINY, "cpu", 512, rows(0.002)))
    assert formats == ["fp32", "fp16", "bf16"]
    half = "75% (3.0 MiB)\nactivations 67%"
    assert memory == ["100% (4.0 MiB)\nactivations 100%", half, half]
    assert speed == ["1.00x (10.0 ms)", "5.00x (2.0 ms)", "2.00x (5.0 ms)"]


@pytest.mark.parametrize(
    ("native", "reason"),
    [(True, "slower here, measured"), (False, "slower: this CPU\nemulates fp16")],
)
def test_a_slower_format_says_so_and_why(native: bool, reason: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(labkit.labs.mixed_precision.compare, "check_amp_available", lambda dtype, device: native)
    _, _, speed, _ = cells(Comparison(TINY, "cpu", 512, rows(1.0)))
    assert speed[1] == f"0.01x (1000.0 ms)\n{reason}"
    assert "slower" not in speed[0] + speed[2]


def test_stability_is_what_the_steps_showed() -> None:
    diverging = subject(solution(), TINY, torch.bfloat16, "cpu")
    diverging.losses, diverging.skipped = [2.3, math.inf, math.nan], 2
    assert stability(diverging) == "loss inf or nan in 2 of 3\n2 skipped"
    scaled = subject(solution(), TINY, torch.float16, "cpu")
    scaled.trainer.scaler = solution().create_grad_scaler(init_scale=2.0**120, device="cpu")
    for _ in range(3):
        scaled.step(TINY.batch(4, "cpu"))
    assert stability(scaled) == f"finite loss in 3 steps\n3 skipped at scale {2.0**117:g}"


@pytest.mark.parametrize("dtype", [torch.float32, torch.float16, torch.bfloat16])
def test_memory_is_counted_as_the_trainers_step_takes_it(dtype: torch.dtype) -> None:
    one = subject(solution(), TINY, dtype, "cpu")
    trained, counted = memory(one, TINY.batch(512, "cpu"), "cpu"), counted_memory(solution(), TINY, dtype)
    scaler = 12 if dtype == torch.float16 else 0  # its scale, 1 / scale and whether it found inf: four bytes each
    assert counted.peak_bytes == trained.peak_bytes - scaler
    assert counted.saved_activation_bytes == trained.saved_activation_bytes


@pytest.mark.parametrize("workload", labkit.labs.mixed_precision.compare.WORKLOADS, ids=lambda workload: workload.name)
def test_activations_are_most_of_what_is_compared(workload: Workload) -> None:
    full, half = (counted_memory(solution(), workload, dtype) for dtype in (torch.float32, torch.bfloat16))
    assert full.saved_activation_bytes > full.peak_bytes / 2
    assert half.peak_bytes < 0.8 * full.peak_bytes


@pytest.mark.parametrize("scale", [1.0, 2.0**30])
def test_memory_is_that_of_a_step_that_was_made(scale: float) -> None:
    one = subject(solution(), TINY, torch.float16, "cpu")
    one.trainer.scaler = solution().create_grad_scaler(init_scale=scale, device="cpu")
    state = 2 * sum(parameter.nbytes for parameter in one.trainer.model.parameters())  # AdamW's two moments
    measured = memory(one, TINY.batch(8, "cpu"), "cpu")
    assert (one.skipped > 0) == (scale > 1)
    assert measured.peak_bytes > 2 * state  # the weights and their gradients are as large as the moments


def test_memory_of_a_trainer_that_makes_no_step_is_an_error() -> None:
    one = subject(solution(), TINY, torch.float16, "cpu")
    one.trainer.scaler = solution().create_grad_scaler(init_scale=2.0**126, device="cpu")
    one.trainer.scaler.set_backoff_factor(0.999)
    with pytest.raises(LabError, match="40 of 40 steps were skipped: there is no whole step to measure"):
        memory(one, TINY.batch(8, "cpu"), "cpu")


def test_a_slow_machine_gets_fewer_turns_and_a_smaller_batch_for_all_formats() -> None:
    seen = []

    class Slow(nn.Module):
        """Takes at least 4 ms a sample: steps of the whole batch are more than the budget allows, on any machine."""

        def __init__(self) -> None:
            super().__init__()
            self.layer = nn.Linear(64, 10)

        def forward(self, inputs: torch.Tensor) -> torch.Tensor:
            seen.append(len(inputs))
            time.sleep(len(inputs) * 4e-3)
            return self.layer(inputs)

    slow = Workload("slow", Slow, nn.CrossEntropyLoss(), TINY.batch, 64, "samples")
    comparison = compare(solution(), slow, budget=1.0)
    assert sum(seen) < 3000
    assert comparison.timed < 64
    assert comparison.title().endswith(f"steps of {comparison.timed} are timed, as 64 would take too long here")
    assert comparison.rows[0].memory == counted_memory(solution(), slow, torch.float32)


def test_the_printed_tables_fit_a_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    threads = torch.get_num_threads()
    print_comparison(solution(), budget=1.0, workloads=(TINY, TINY))
    out = capsys.readouterr().out
    assert out.count("MiB, 0.5 are activations") == 2
    assert out.count("| Format | Memory") == 2 and max(map(len, out.splitlines())) <= 80
    assert torch.__version__ in out and torch.get_num_threads() == threads


def test_the_command_compares_both_models(monkeypatch: pytest.MonkeyPatch) -> None:
    seen = []
    monkeypatch.setattr(
        labkit.labs.mixed_precision.compare, "print_comparison", lambda lab, device: seen.append((lab.__name__, device))
    )
    monkeypatch.setattr(labkit.labs.mixed_precision.compare, "print_at_scale", lambda lab: None)
    assert run(solution(), "--compare").code == 0
    assert seen == [("labkit_implementation_mixed_precision", "cpu")]
    assert [workload.model.__name__ for workload in labkit.labs.mixed_precision.compare.WORKLOADS] == [
        "SmallTransformer",
        "WideMLP",
    ]
