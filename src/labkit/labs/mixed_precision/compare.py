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

from labkit.labs.mixed_precision.steps import Subject, TokenCrossEntropy, Workload, costs, subject, tokens, vectors
from labkit.labs.mixed_precision.training import DTYPES, check_device
from labkit.toolbox.measure import check_amp_available, hardware, interleaved_medians, one_thread
from labkit.toolbox.models import SmallTransformer, WideMLP

TURNS = (3, 20)  # fewest and most timed turns of the formats
BUDGET = 20.0  # seconds for each workload
UNTIMED_TURNS = 3  # one to warm up, two to measure memory


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
        batch_size=256,
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
    """A format's cost: bytes at the peak of a step, seconds of a step; `stability` in words."""

    format: str
    peak_bytes: int
    seconds: float
    stability: str


@dataclass(frozen=True)
class Comparison:
    """The rows of one workload, fp32 first, at `batch_size` samples a step."""

    workload: Workload
    device: str
    batch_size: int
    rows: tuple[Row, ...]

    def table(self) -> Table:
        base = self.rows[0]
        table = Table("Format", "Memory", "Speed", "Stability", box=box.MARKDOWN)
        for row in self.rows:
            memory = f"{row.peak_bytes / base.peak_bytes:.0%} ({row.peak_bytes / 2**20:.1f} MiB)"
            speed = f"{base.seconds / row.seconds:.2f}x ({row.seconds * 1e3:.1f} ms)"
            table.add_row(row.format, memory, speed + self._why_slower(row), row.stability)
        return table

    def title(self) -> str:
        smaller = f", not {self.workload.batch_size}: that would take too long here"
        note = smaller if self.batch_size < self.workload.batch_size else ""
        return f"{self.workload.name}, AdamW, {self.batch_size} {self.workload.samples} a step{note}"

    def _why_slower(self, row: Row) -> str:
        if row.seconds <= self.rows[0].seconds:
            return ""
        if check_amp_available(DTYPES[row.format], self.device):
            return "\nslower here, measured"
        return f"\nslower: no {row.format} arithmetic\non this {self.device.upper()}, emulated"


def compare(lab: ModuleType, workload: Workload, device: str = "cpu", budget: float = BUDGET) -> Comparison:
    """What a training step of the lab's trainer costs in each format, the formats taking turns.

    Stays within about `budget` seconds: first with fewer turns, then with a smaller batch for all formats alike.
    """
    start = time.perf_counter()
    subjects = {name: subject(lab, workload, dtype, device) for name, dtype in DTYPES.items()}
    probe_size = max(1, workload.batch_size // 8)
    probe = workload.batch(probe_size, device)
    steps = {name: partial(one.step, probe) for name, one in subjects.items()}
    probed = sum(interleaved_medians(steps, repeats=1, warmup=1, device=device).values())
    left = budget - (time.perf_counter() - start)

    def affordable_turns(size: int) -> int:
        return int(left / (probed * size / probe_size)) - UNTIMED_TURNS

    size = workload.batch_size
    while size > 1 and affordable_turns(size) < TURNS[0]:
        size //= 2
    turns = min(max(affordable_turns(size), TURNS[0]), TURNS[1])

    measured = costs(subjects, workload.batch(size, device), turns, device)
    rows = tuple(
        Row(name, cost.memory.peak_bytes, cost.seconds, stability(subjects[name])) for name, cost in measured.items()
    )
    return Comparison(workload, device, size, rows)


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
        comparisons.append(comparison)
    console.print("Memory: peak of a step, percent of fp32. Speed: fp32's time over this format's.", highlight=False)
    return comparisons
