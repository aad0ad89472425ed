"""Compares the formats on this machine: memory, speed and stability of a training step, all measured in one run."""

import math
import time
from dataclasses import dataclass
from functools import partial
from types import ModuleType

import torch
from rich import box
from rich.console import Console
from rich.table import Table
from torch import nn

from labkit.experiments.running import module, show
from labkit.labs.mixed_precision.steps import Subject, TokenCrossEntropy, Workload, memory, subject, tokens, vectors
from labkit.labs.mixed_precision.training import DTYPES, check_device
from labkit.toolbox.measure import (
    StepMemory,
    check_amp_available,
    hardware,
    interleaved_medians,
    nothing_computed,
    one_thread,
    step_memory,
)
from labkit.toolbox.models import SmallTransformer, WideMLP

TURNS = (3, 20)  # fewest and most timed turns of the formats
BUDGET = 15.0  # seconds for each workload
UNTIMED_TURNS = {"cpu": 1, "cuda": 3}  # one to warm up; on CUDA two to measure memory

# Batches at which activations are more than half of fp32's peak: they are what autocast shrinks.
WORKLOADS = (
    Workload(
        name="small transformer (4 layers, 256 wide)",
        model=SmallTransformer,
        criterion=TokenCrossEntropy(),
        batch=tokens(vocabulary=256, length=64),
        batch_size=32,
        samples="sequences of 64 tokens",
    ),
    Workload(
        name="wide MLP (784-1024-1024-10)",
        model=WideMLP,
        criterion=nn.CrossEntropyLoss(),
        batch=vectors(width=784, classes=10),
        batch_size=4096,
        samples="samples",
    ),
)


def stability(one: Subject) -> str:
    """What the steps showed: whether the losses were finite, and what loss scaling did or was spared."""
    bad, steps = sum(not math.isfinite(loss) for loss in one.losses), len(one.losses)
    finite = f"loss inf or nan in {bad} of {steps}" if bad else f"finite loss in {steps} steps"
    if one.trainer.scaler.is_enabled():
        return f"{finite}\n{one.skipped} skipped at scale {one.trainer.scaler.get_scale():g}"
    if one.dtype == torch.float32 or bad or one.skipped:
        return f"{finite}\n{one.skipped} skipped"
    return f"{finite}\nno scaler needed"


@dataclass(frozen=True)
class Row:
    """A format's cost: memory of a step on the whole batch, seconds of a step; `stability` in words."""

    format: str
    memory: StepMemory
    seconds: float
    stability: str


@dataclass(frozen=True)
class Comparison:
    """The rows of one workload, fp32 first; the timed steps had `timed` samples, at most as many as the workload's."""

    workload: Workload
    device: str
    timed: int
    rows: tuple[Row, ...]

    def table(self) -> Table:
        base = self.rows[0]
        table = Table("Format", "Memory", "Speed", "Stability", box=box.MARKDOWN)
        for row in self.rows:
            peak, saved = (f"{share:.0%}" for share in self.shares(row))
            memory = f"{peak} ({row.memory.peak_bytes / 2**20:.1f} MiB)\nactivations {saved}"
            speed = f"{base.seconds / row.seconds:.2f}x ({row.seconds * 1e3:.1f} ms)"
            table.add_row(row.format, memory, speed + self._why_slower(row), row.stability)
        return table

    def shares(self, row: Row) -> tuple[float, float]:
        """Peak and saved activations of `row`, as shares of fp32's."""
        mine, base = row.memory, self.rows[0].memory
        return mine.peak_bytes / base.peak_bytes, mine.saved_activation_bytes / base.saved_activation_bytes

    def title(self) -> str:
        all_of_them = self.workload.batch_size
        note = f"; steps of {self.timed} are timed, as {all_of_them} would take too long here"
        step = f"{self.workload.name}, AdamW, {all_of_them} {self.workload.samples} a step"
        return step + (note if self.timed < all_of_them else "")

    def what_shrinks(self) -> str:
        """What of fp32's peak a format can make smaller, and what it cannot."""
        memory = self.rows[0].memory
        peak, saved = memory.peak_bytes / 2**20, memory.saved_activation_bytes / 2**20
        return (
            f"Of fp32's {peak:.1f} MiB, {saved:.1f} are activations, saved for backward: they shrink. Weights, "
            "gradients and AdamW's state do not."
        )

    def _why_slower(self, row: Row) -> str:
        if row.seconds <= self.rows[0].seconds:
            return ""
        if check_amp_available(DTYPES[row.format], self.device):
            return "\nslower here, measured"
        return f"\nslower: this {self.device.upper()}\nemulates {row.format}"


def compare(lab: ModuleType, workload: Workload, device: str = "cpu", budget: float = BUDGET) -> Comparison:
    """What a training step costs in each format: the lab's trainer is timed, the formats taking turns.

    The timing stays within about `budget` seconds: first with fewer turns, then with a smaller batch for all formats
    alike, but with no less than a sixteenth of it, as a step of few samples has other ratios. Memory is that of the
    whole batch: on a CPU counted without computing, with the lab's forward; on CUDA what the trainer takes of the
    allocator, on the batch that was timed.
    """
    start = time.perf_counter()
    subjects = {name: subject(lab, workload, dtype, device) for name, dtype in DTYPES.items()}
    probe_size = max(1, workload.batch_size // 16)
    probe = workload.batch(probe_size, device)
    steps = {name: partial(one.step, probe) for name, one in subjects.items()}
    probed = sum(interleaved_medians(steps, repeats=1, warmup=1, device=device).values())
    left = budget - (time.perf_counter() - start)

    def affordable_turns(size: int) -> int:
        return int(left / (probed * size / probe_size)) - UNTIMED_TURNS[device]

    size = workload.batch_size
    while size > probe_size and affordable_turns(size) < TURNS[0]:
        size //= 2
    turns = min(max(affordable_turns(size), TURNS[0]), TURNS[1])

    batch = workload.batch(size, device)
    if device == "cuda":
        memories = {name: memory(one, batch, device) for name, one in subjects.items()}
    else:
        memories = {name: counted_memory(lab, workload, dtype) for name, dtype in DTYPES.items()}
    steps = {name: partial(one.step, batch) for name, one in subjects.items()}
    seconds = interleaved_medians(steps, repeats=turns, warmup=1, device=device)
    rows = tuple(Row(name, memories[name], seconds[name], stability(subjects[name])) for name in subjects)
    return Comparison(workload, device, size, rows)


def counted_memory(lab: ModuleType, workload: Workload, dtype: torch.dtype) -> StepMemory:
    """Memory of a step on the whole batch, counted without computing: the lab's forward, backward, AdamW."""
    with nothing_computed():
        model = workload.model()
        optimizer = torch.optim.AdamW(model.parameters())
        inputs, targets = workload.batch(workload.batch_size, "cpu")

        def step() -> None:
            optimizer.zero_grad()
            # In one expression: a name would keep the outputs alive through backward.
            workload.criterion(lab.mixed_precision_forward(model, inputs, dtype).float(), targets).backward()
            optimizer.step()

        return step_memory(step)


def print_comparison(
    lab: ModuleType, device: str = "cpu", budget: float = BUDGET, workloads: tuple[Workload, ...] = WORKLOADS
) -> list[Comparison]:
    """Measures and prints one table for each workload; `budget` is in seconds for each.

    Raises LabError if `device` is cuda and there is none.
    """
    check_device(device)
    console = Console()
    machine = hardware()
    where = machine["gpu"] if device == "cuda" else f"{machine['cpu']}, one thread"
    tf32 = f", tf32 {'on' if machine['tf32'] else 'off'}" if device == "cuda" else ""
    console.print(f"Measured on {where}{tf32}, torch {machine['torch']}", markup=False, highlight=False)
    comparisons = []
    for workload in workloads:
        with one_thread():
            comparison = compare(lab, workload, device, budget)
        console.print(f"\n{comparison.title()}", markup=False, highlight=False)
        console.print(comparison.table(), markup=False, highlight=False)
        console.print(comparison.what_shrinks(), markup=False, highlight=False)
        comparisons.append(comparison)
    console.print(
        "\nMemory: peak of a step, and its activations saved for backward, percent of fp32.\n"
        "Speed: fp32's time over this format's.",
        highlight=False,
    )
    return comparisons


def print_at_scale(lab: ModuleType) -> None:
    """Counts and prints what steps of models of real size hold; of the lab it needs nothing."""
    name, console = "memory-at-scale", Console(highlight=False)
    with console.status("counting the memory of larger models, half a minute"):
        data = module(name).measure(lab)
    console.print()
    show({"experiment": name, "title": module(name).TITLE, "data": data}, console)
