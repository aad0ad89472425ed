"""`make bench`: the limits of speed and memory that this course sets itself, as ratios measured in one run.

Each line gives what was measured, the limit, and whether it is kept. Machines are noisy, so no test asserts any of it.
"""

import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from types import ModuleType
from typing import Any

import click
import torch
from torch import Tensor, nn

from bench import waiting
from bench.amp_parts import amp_parts
from bench.limits import Measured
from bench.many_ranks import many_ranks
from labkit.course import manifest
from labkit.course.errors import LabError
from labkit.course.loading import load_implementation
from labkit.labs.mixed_precision.steps import TokenCrossEntropy
from labkit.toolbox.measure import check_amp_available, hardware, interleaved_medians, step_memory
from labkit.toolbox.models import SmallTransformer

TURNS = 60  # timed turns of each step; medians


PARTS = ("limits", "ladder", "roofline")


@click.command()
@click.option("--device", type=click.Choice(["cpu", "cuda"]), default="cpu", help="cuda: sizes that fill a GPU.  [cpu]")
@click.option("--part", type=click.Choice(PARTS), multiple=True, help="Of cuda only this one; may be repeated.")
def main(device: str, part: tuple[str, ...]) -> None:
    """Measure the limits of speed and memory that the course sets itself; on a GPU also steps of models of real size.

    On a CPU `labkit experiment ladder` and `labkit experiment roofline` measure these, with small models.
    """
    if device == "cpu":
        if part:
            raise click.UsageError("--part is for --device cuda")
        run_bench(click.echo)
        return
    from rich.console import Console

    from bench import gpu_bench, real_steps

    if "limits" in (part or PARTS):
        gpu_bench.run_gpu_bench(Console(highlight=False))
    runs: dict[str, Callable[..., Path]] = {"ladder": real_steps.run_ladder, "roofline": real_steps.run_roofline}
    for name, run in runs.items():
        if name in (part or PARTS):
            click.echo(f"Written: {run(click.echo)}")


def run_bench(say: Callable[[str], None] = print) -> None:
    """Measures everything and says it line by line, with the machine first."""
    say(", ".join(f"{name} {value}" for name, value in hardware().items() if value is not None))
    trainer = load_implementation(manifest.find("mixed_precision").paths.solution)
    for part in (transformer, trainer_overhead, partial(rivals, say=say)):
        for measured in part(trainer):
            say(str(measured))
    for measured in (*amp_parts(), *many_ranks()):
        say(str(measured))
    for lab in manifest.load_all():
        for measured in waiting.of_lab(lab):
            say(str(measured))
    for measured in (*waiting.comparison(), *waiting.status()):
        say(str(measured))


def training(
    lab: ModuleType, model: nn.Module, dtype: torch.dtype, batch: tuple[Tensor, Tensor], criterion: nn.Module
) -> Callable[[], object]:
    """A call makes one step of the lab's trainer."""
    trainer, optimizer = lab.MixedPrecisionTrainer(model, dtype), torch.optim.AdamW(model.parameters())
    return lambda: trainer.train_step(batch, optimizer, criterion)


def transformer(lab: ModuleType) -> list[Measured]:
    """bfloat16 against float32 on the small transformer, batch 32 x 64 tokens."""
    tokens = torch.randint(256, (32, 64))
    formats = {"float32": torch.float32, "bfloat16": torch.bfloat16}
    steps = {
        name: training(lab, SmallTransformer(), dtype, (tokens, tokens), TokenCrossEntropy())
        for name, dtype in formats.items()
    }
    seconds = interleaved_medians(steps, repeats=10)
    saved = {name: step_memory(step).saved_activation_bytes for name, step in steps.items()}
    native = "" if check_amp_available(torch.bfloat16, "cpu") else " (this CPU has no bf16 arithmetic)"
    ratio = seconds["float32"] / seconds["bfloat16"]
    return [
        Measured(f"transformer, bf16 against fp32: speed{native}", ratio, "x", 1.8, at_least=True),
        Measured(
            "transformer, bf16 against fp32: saved activations", 100 * saved["bfloat16"] / saved["float32"], "%", 65
        ),
    ]


def amp_loop(
    model: nn.Module, dtype: torch.dtype, batch: tuple[Tensor, Tensor], criterion: nn.Module, limit: float | None
) -> Callable[[], object]:
    """A call makes one step of the loop of PyTorch's AMP examples, by hand."""
    optimizer = torch.optim.AdamW(model.parameters())
    scaler = torch.amp.GradScaler("cpu", enabled=dtype == torch.float16)
    inputs, targets = batch

    def step() -> float:
        optimizer.zero_grad()
        with torch.autocast("cpu", dtype=dtype):
            loss = criterion(model(inputs), targets)
        scaler.scale(loss).backward()
        scaler.unscale_(optimizer)
        if limit is not None:
            torch.nn.utils.clip_grad_norm_(model.parameters(), limit)
        scaler.step(optimizer)
        scaler.update()
        return loss.item()

    return step


def trainer_overhead(lab: ModuleType) -> list[Measured]:
    """train_step against the loop by hand, on a step of some milliseconds, with and without clipping."""
    batch, criterion = (torch.randn(256, 784), torch.randint(10, (256,))), nn.CrossEntropyLoss()
    measured = []
    for limit, allowed in ((1.0, 1.05), (None, 1.10)):
        model = lab.SimpleModel()
        trainer, optimizer = lab.MixedPrecisionTrainer(model, torch.bfloat16), torch.optim.AdamW(model.parameters())
        steps: dict[str, Callable[[], object]] = {
            "trainer": partial(trainer.train_step, batch, optimizer, criterion, limit),
            "by hand": amp_loop(lab.SimpleModel(), torch.bfloat16, batch, criterion, limit),
        }
        seconds = interleaved_medians(steps, repeats=5 * TURNS, warmup=10)
        what = f"train_step against a loop by hand, {'with' if limit else 'without'} clipping"
        what += f", {1000 * seconds['by hand']:.1f} ms"
        measured.append(Measured(what, seconds["trainer"] / seconds["by hand"], "x", allowed))
    return measured


def rivals(lab: ModuleType, say: Callable[[str], None] = print) -> list[Measured]:
    """train_step against Lightning Fabric and Accelerate on a step that is mostly overhead: width 64, bfloat16."""
    batch, criterion = (torch.randn(64, 64), torch.randint(10, (64,))), nn.CrossEntropyLoss()
    steps = {"trainer": training(lab, lab.SimpleModel(64, 64, 10, 2), torch.bfloat16, batch, criterion)}
    missing = []
    for name, build in (("Lightning Fabric", fabric), ("Accelerate", accelerate)):
        try:
            steps[name] = build(lab.SimpleModel(64, 64, 10, 2), batch, criterion)
        except ImportError as error:
            missing.append(f"{name} ({error.name})")
    if missing:
        say(f"left out, not installed: {', '.join(missing)}; make bench installs them")
    if len(steps) == 1:
        return []
    seconds = interleaved_medians(steps, repeats=10 * TURNS, warmup=20)
    return [
        Measured(
            f"train_step against {name}, {1e6 * seconds[name]:.0f} us", seconds["trainer"] / seconds[name], "x", 1.0
        )
        for name in steps
        if name != "trainer"
    ]


def fabric(model: nn.Module, batch: tuple[Tensor, Tensor], criterion: nn.Module) -> Callable[[], object]:
    """A call makes one step with Lightning Fabric in bf16-mixed."""
    from lightning_fabric import Fabric

    runner = Fabric(accelerator="cpu", devices=1, precision="bf16-mixed")
    wrapped, optimizer = runner.setup(model, torch.optim.AdamW(model.parameters()))
    return runner_step(runner, wrapped, optimizer, batch, criterion)


def accelerate(model: nn.Module, batch: tuple[Tensor, Tensor], criterion: nn.Module) -> Callable[[], object]:
    """A call makes one step with Accelerate in bf16."""
    from accelerate import Accelerator

    runner = Accelerator(mixed_precision="bf16", cpu=True)
    wrapped, optimizer = runner.prepare(model, torch.optim.AdamW(model.parameters()))
    return runner_step(runner, wrapped, optimizer, batch, criterion)


def runner_step(
    runner: Any, model: nn.Module, optimizer: torch.optim.Optimizer, batch: tuple[Tensor, Tensor], criterion: nn.Module
) -> Callable[[], object]:
    """A call makes one step of the loop that both libraries document."""
    inputs, targets = batch

    def step() -> float:
        model.train()
        optimizer.zero_grad()
        with runner.autocast():
            loss = criterion(model(inputs), targets)
        runner.backward(loss)
        optimizer.step()
        return loss.item()

    return step


if __name__ == "__main__":
    try:
        main()
    except LabError as error:
        sys.exit(f"bench: {error}")
