"""The demo: trains on real digits in every format, shows the case that needs loss scaling, and draws a picture."""

import math
import textwrap
import time
from dataclasses import replace
from pathlib import Path
from types import ModuleType

from rich.console import Console

from labkit.course.files import check_writable, make_folder
from labkit.course.loading import load_implementation
from labkit.labs.mixed_precision.compare import Comparison, print_comparison
from labkit.labs.mixed_precision.deep import LAST, RUNS, UNSCALED, DeepRun, float16_is_quick, train_deep
from labkit.labs.mixed_precision.training import DTYPES, Settings, Training
from labkit.toolbox.history import StepRecord, mean_loss
from labkit.toolbox.measure import one_thread
from labkit.toolbox.plots import BLUE, GREEN, GREY, VERMILION, Curve, draw_trainings
from labkit.toolbox.progress import progress

EPOCHS = 17  # 102 steps
HIGH_SCALE = 2.0**24  # the first gradients overflow with it
DEEP_STEPS = 1000
DEEP_LEARNING_RATE = 5e-3
FP16_BUDGET = 25.0  # seconds for the two float16 trainings of the deep network; if they take longer, emulation
COMPARE_BUDGET = 8.0  # seconds for each of the two models
SEEDS = 4  # more, of the small network in fp32: how far a seed alone moves a loss


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
    with one_thread():
        trainings = {
            dtype: _train(
                lab, Settings(dtype, epochs=EPOCHS, init_scale=HIGH_SCALE if dtype == "fp16" else None), console
            )
            for dtype in DTYPES
        }
        seeds = [trainings["fp32"].final_loss, *_losses_of_other_seeds(lab, trainings["fp32"].settings, console)]

        console.print("\n2. Six sigmoid layers: gradients so small that float16 loses them")
        emulated = not float16_is_quick(lab, deep_steps, FP16_BUDGET)
        deep = {name: _train_deep(lab, name, emulated, deep_steps, console) for name in RUNS}

    console.print("\n3. What a step costs in each format")
    comparisons = print_comparison(lab, budget=budget)
    console.print(f"\n{trainings['fp16'].banner()}")
    draw_trainings(_curves(trainings, deep, emulated), picture, log_steps=True)
    console.print("\nWhat to notice")
    for line in notice(trainings, seeds, deep, comparisons):
        console.print(textwrap.fill(line, 78, initial_indent="- ", subsequent_indent="  "))
    console.print(f"Picture: {picture}")
    return picture


def notice(
    trainings: dict[str, Training], seeds: list[float], deep: dict[str, DeepRun], comparisons: list[Comparison]
) -> list[str]:
    """What the demo has shown, one sentence a line, every figure from its own measurements.

    `seeds` are final losses of the small network in fp32, from one seed each.
    """
    fp16, plain, scaled = trainings["fp16"], deep[UNSCALED], deep["fp16"]
    lines = [
        f"Loss scale: {fp16.skipped} skipped steps took it from {_power(HIGH_SCALE)} to "
        f"{_power(fp16.trainer.scaler.get_scale())}; training went on to a loss of {fp16.final_loss:.4f}.",
        f"One seed does not say which format learns best: in fp32 alone {len(seeds)} seeds end between "
        f"{min(seeds):.4f} and {max(seeds):.4f}; the formats here, with one seed, between "
        f"{min(one.final_loss for one in trainings.values()):.4f} and "
        f"{max(one.final_loss for one in trainings.values()):.4f}. The same holds for the deep network.",
        f"Underflow: without loss scaling the deep network ends at a loss of {plain.final_loss:.3f} in fp16, "
        f"with it at {scaled.final_loss:.3f} (fp32 {deep['fp32'].final_loss:.3f}). Of its first layer's "
        f"gradients {plain.zeros:.0%} are exactly zero, with loss scaling {scaled.zeros:.0%}.",
        f"bf16 has fp32's range: without loss scaling it ends at {deep['bf16'].final_loss:.3f}.",
    ]
    for comparison in comparisons:
        base, half = comparison.rows[0], comparison.rows[-1]
        lines.append(
            f"The {comparison.workload.name.partition(' (')[0]} in bf16: {comparison.shares(half)[0]:.0%} of "
            f"fp32's memory, {base.seconds / half.seconds:.2f} times its speed."
        )
    lines.append("Weights and optimizer state stay in float32: only what is computed from them shrinks.")
    return lines


def _train(lab: ModuleType, settings: Settings, console: Console) -> Training:
    label = f"{settings.dtype}, loss scale from {_power(HIGH_SCALE)}" if settings.init_scale else settings.dtype
    start = time.perf_counter()
    training = _trained(lab, settings, f"training in {label}", console)
    seconds = time.perf_counter() - start
    _report(console, label, training.history, training.epoch_records(EPOCHS - 1), training.accuracy(), seconds)
    return training


def _trained(lab: ModuleType, settings: Settings, label: str, console: Console) -> Training:
    training = Training(lab, settings)
    with progress(label, settings.epochs * training.batches_per_epoch, console) as advance:
        while not training.finished:
            training.step()
            advance()
    return training


def _losses_of_other_seeds(lab: ModuleType, settings: Settings, console: Console) -> list[float]:
    seeds = range(settings.seed + 1, settings.seed + 1 + SEEDS)
    return [_trained(lab, replace(settings, seed=seed), f"fp32, seed {seed}", console).final_loss for seed in seeds]


def _train_deep(lab: ModuleType, name: str, emulated: bool, steps: int, console: Console) -> DeepRun:
    label = _label(name, emulated)
    with progress(f"training in {label}", steps, console) as advance:
        run = train_deep(lab, name, emulated, steps, DEEP_LEARNING_RATE, after_step=advance)
    _report(console, label, run.records, run.records[-LAST:], run.accuracy, run.seconds)
    return run


def _label(name: str, emulated: bool) -> str:
    """A deep training's name, which says what was emulated and what was scaled."""
    scaling = {"bf16": ", no scaling", "fp16": ", loss scaling"}.get(name, "")
    return f"{'emulated ' if emulated and name.startswith('fp16') else ''}{name}{scaling}"


def _report(
    console: Console, label: str, records: list[StepRecord], last: list[StepRecord], accuracy: float, seconds: float
) -> None:
    """Prints one training in one line; its final loss is the mean of the `last` records."""
    skipped = sum(record.skipped for record in records)
    loss = f"loss {records[0].loss:.2f} -> {mean_loss(last):.3f}"
    console.print(f"  {label:27} {loss}, {accuracy:.0%} correct, {skipped} skips, {seconds:.1f} s")


def _power(scale: float) -> str:
    return f"2^{math.log2(scale):g}"


def _curves(trainings: dict[str, Training], deep: dict[str, DeepRun], emulated: bool) -> list[Curve]:
    """The deep network's trainings as solid lines, the small network's dotted: the colours name the formats."""
    colours = {"fp32": GREY, "bf16": BLUE, "fp16": GREEN, UNSCALED: VERMILION}
    widths = {"fp32": 5.0}  # where curves meet, the one below stays visible
    curves = [
        Curve(f"six sigmoids, {_label(name, emulated)}", run.records, colours[name], "-", widths.get(name, 2.0))
        for name, run in deep.items()
    ]
    for name, training in trainings.items():
        label = f"small MLP, {name}{f', scale from {_power(HIGH_SCALE)}' if name == 'fp16' else ''}"
        curves.append(Curve(label, training.history, colours[name], ":", widths.get(name, 2.5)))
    return curves
