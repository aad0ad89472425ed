"""The demo: trains on real digits in every format, shows the case that needs loss scaling, and draws a picture."""

import math
import textwrap
import time
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType

import torch
from rich.console import Console

from labkit.course.files import check_writable, make_folder
from labkit.course.loading import load_implementation
from labkit.labs.mixed_precision.compare import Comparison, one_thread, print_comparison
from labkit.labs.mixed_precision.experiments.formats import (
    accuracy_on_test_digits,
    float16_step_seconds,
    train_deep,
    zeros,
)
from labkit.labs.mixed_precision.training import DTYPES, Settings, Training
from labkit.toolbox.history import StepRecord, mean_loss
from labkit.toolbox.plots import BLUE, GREEN, GREY, VERMILION, Curve, draw_trainings

EPOCHS = 17  # 102 steps
HIGH_SCALE = 2.0**24  # the first gradients overflow with it
DEEP_STEPS = 1000
DEEP_LEARNING_RATE = 5e-3
FP16_BUDGET = 25.0  # seconds for the two float16 trainings of the deep network; if they take longer, emulation
COMPARE_BUDGET = 8.0  # seconds for each of the two models
LAST = 50  # steps whose mean is a final loss


@dataclass(frozen=True)
class DeepRun:
    """How the deep network trained: one record a step, and the share of exact zeros in its first layer's gradient."""

    records: list[StepRecord]
    zeros: float

    @property
    def final_loss(self) -> float:
        return mean_loss(self.records[-LAST:])


def run_demo(solution_path: Path, out_dir: Path, deep_steps: int = DEEP_STEPS, budget: float = COMPARE_BUDGET) -> Path:
    """Runs the demo on the lab file at `solution_path`; the path of the picture, `out_dir`/demo.png.

    Args:
        deep_steps: steps of each training of the deep network.
        budget: seconds for each of the two tables of the comparison.

    Raises:
        LabError: the lab file cannot be loaded, or the picture cannot be written.
    """
    picture = out_dir / "demo.png"
    make_folder(out_dir, "--out")
    check_writable(picture, "demo:")
    lab = load_implementation(solution_path)
    console = Console(highlight=False, markup=False)

    console.print("1. A small network learns handwritten digits, in three formats")
    trainings = {}
    with one_thread():
        for dtype in DTYPES:
            settings = Settings(dtype=dtype, epochs=EPOCHS, init_scale=HIGH_SCALE if dtype == "fp16" else None)
            trainings[dtype] = _train(lab, settings, console)

        console.print("\n2. Six sigmoid layers: gradients so small that float16 loses them")
        emulated = not _float16_is_quick(lab, deep_steps)
        fp16 = "emulated fp16" if emulated else "fp16"
        deep = {
            "fp32": _train_deep(lab, "fp32", torch.float32, False, False, deep_steps, console),
            "bf16": _train_deep(lab, "bf16, no scaling", torch.bfloat16, False, False, deep_steps, console),
            "scaled": _train_deep(lab, f"{fp16}, loss scaling", torch.float16, True, emulated, deep_steps, console),
            "plain": _train_deep(lab, f"{fp16}, no scaling", torch.float16, False, emulated, deep_steps, console),
        }

    console.print("\n3. What a step costs in each format")
    comparisons = print_comparison(lab, budget=budget)
    console.print(f"\n{trainings['fp16'].banner()}")
    draw_trainings(_curves(trainings, deep, fp16), picture, log_steps=True)
    console.print("\nWhat to notice")
    for line in notice(trainings["fp16"], deep, comparisons):
        console.print(textwrap.fill(line, 78, initial_indent="- ", subsequent_indent="  "))
    console.print(f"Picture: {picture}")
    return picture


def notice(fp16: Training, deep: dict[str, DeepRun], comparisons: list[Comparison]) -> list[str]:
    """What the demo has shown, one sentence a line, every figure from its own measurements."""
    skipped = sum(record.skipped for record in fp16.history)
    lines = [
        f"Loss scale: {skipped} skipped steps took it from {_power(HIGH_SCALE)} to "
        f"{_power(fp16.trainer.scaler.get_scale())}; "
        f"training went on to a loss of {mean_loss(fp16.epoch_records(fp16.epoch - 1)):.4f}.",
        f"Underflow: without loss scaling the deep network ends at a loss of {deep['plain'].final_loss:.3f} in fp16, "
        f"with it at {deep['scaled'].final_loss:.3f} (fp32 {deep['fp32'].final_loss:.3f}). Of its first layer's "
        f"gradients {deep['plain'].zeros:.0%} are exactly zero, with loss scaling {deep['scaled'].zeros:.0%}.",
        f"bf16 has fp32's range: without loss scaling it ends at {deep['bf16'].final_loss:.3f}.",
    ]
    for comparison in comparisons:
        base, half = comparison.rows[0], comparison.rows[-1]
        lines.append(
            f"The {comparison.workload.name.partition(' (')[0]} in bf16: {half.peak_bytes / base.peak_bytes:.0%} of "
            f"fp32's memory, {base.seconds / half.seconds:.2f} times its speed."
        )
    lines.append("Weights and optimizer state stay in float32: only what is computed from them shrinks.")
    return lines


def _train(lab: ModuleType, settings: Settings, console: Console) -> Training:
    label = f"{settings.dtype}, loss scale from {_power(HIGH_SCALE)}" if settings.init_scale else settings.dtype
    start = time.perf_counter()
    training = Training(lab, settings)
    with console.status(f"training in {label}"):
        while not training.finished:
            training.step()
    seconds = time.perf_counter() - start
    _report(console, label, training.history, training.epoch_records(EPOCHS - 1), training.accuracy(), seconds)
    return training


def _train_deep(
    lab: ModuleType, label: str, dtype: torch.dtype, scaling: bool, emulated: bool, steps: int, console: Console
) -> DeepRun:
    """Trains DeepSigmoid in `dtype` with or without loss scaling; an emulated float16 runs in float32."""
    start = time.perf_counter()
    with console.status("") as status:

        def show(step: int) -> None:
            if step % 50 == 0:
                status.update(f"training in {label}: step {step} of {steps}")

        model, records = train_deep(lab, dtype, scaling, emulated, steps, DEEP_LEARNING_RATE, before_step=show)
    seconds = time.perf_counter() - start
    _report(console, label, records, records[-LAST:], accuracy_on_test_digits(model), seconds)
    return DeepRun(records, zeros(model))


def _float16_is_quick(lab: ModuleType, steps: int) -> bool:
    """Whether two trainings of the deep network in real float16 fit the budget, by the time of a few steps."""
    return 2 * steps * float16_step_seconds(lab) <= FP16_BUDGET


def _report(
    console: Console, label: str, records: list[StepRecord], last: list[StepRecord], accuracy: float, seconds: float
) -> None:
    """Prints one training in one line; its final loss is the mean of the `last` records."""
    skipped = sum(record.skipped for record in records)
    loss = f"loss {records[0].loss:.2f} -> {mean_loss(last):.3f}"
    console.print(f"  {label:27} {loss}, {accuracy:.0%} correct, {skipped} skips, {seconds:.1f} s")


def _power(scale: float) -> str:
    return f"2^{math.log2(scale):g}"


def _curves(trainings: dict[str, Training], deep: dict[str, DeepRun], fp16: str) -> list[Curve]:
    """The deep network's trainings as solid lines, the small network's dotted: the colours name the formats."""
    return [
        Curve("six sigmoids, fp32", deep["fp32"].records, GREY, "-", 5),
        Curve("six sigmoids, bf16, no scaling", deep["bf16"].records, BLUE, "-"),
        Curve(f"six sigmoids, {fp16}, loss scaling", deep["scaled"].records, GREEN, "-"),
        Curve(f"six sigmoids, {fp16}, no scaling", deep["plain"].records, VERMILION, "-"),
        Curve("small MLP, fp32", trainings["fp32"].history, GREY, ":", 5),
        Curve("small MLP, bf16", trainings["bf16"].history, BLUE, ":", 2.5),
        Curve(f"small MLP, fp16, scale from {_power(HIGH_SCALE)}", trainings["fp16"].history, GREEN, ":", 2.5),
    ]
