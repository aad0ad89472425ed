"""Measures a training step in each number format at sizes that fill a GPU, beside what a plain product reaches there.

Training runs in fp32, tf32, fp16 and bf16, as far as the GPU has them. Of fp8 there is only the plain product: the
course's trainer does not train in it.
"""

import gc
from collections.abc import Callable
from dataclasses import dataclass
from types import ModuleType
from typing import TypeVar

import torch

from bench.gpu_workloads import Filling
from labkit.course.errors import LabError
from labkit.labs.mixed_precision.rates import formats
from labkit.labs.mixed_precision.steps import Subject, Workload, costs
from labkit.labs.mixed_precision.work import flops_of_a_sample

Found = TypeVar("Found")
LEARNING_RATE = 1e-5  # all formats train the same weights, on noise: nothing should blow up


@dataclass(frozen=True)
class Row:
    """What a step costs in a format.

    `per_second` counts tokens or samples; `share` is `flops_per_second` over what a plain product in the format
    reaches; `skipped` of `steps` steps moved nothing.
    """

    format: str
    seconds: float
    per_second: float
    flops_per_second: float
    share: float
    peak_bytes: int
    saved_activation_bytes: int
    skipped: int
    steps: int


@dataclass(frozen=True)
class Result:
    """The rows of a workload, fp32 first; `flops` are those of a step, `memory_limit` is in percent of fp32."""

    name: str
    unit: str
    batch_size: int
    flops: int
    memory_limit: float
    rows: tuple[Row, ...]


def measure(
    lab: ModuleType, workload: Filling, size: int, device: str, products: dict[str, float], repeats: int
) -> Result:
    """What a step of the lab's trainer costs in each format, on `size` samples; `products` as of `plain_products`.

    The formats take turns on the same weights and optimizer, so that memory holds those once and a peak is one
    format's own.
    """
    torch.manual_seed(0)
    with torch.device(device):
        model = workload.model()
    flops = size * flops_of_a_sample(workload, model, device)
    optimizer = torch.optim.AdamW(model.parameters(), lr=LEARNING_RATE)
    batch = workload.batch(size, device)
    subjects = {
        one.name: Subject(
            lab.MixedPrecisionTrainer(model, one.dtype), one.dtype, optimizer, workload.criterion, one.products
        )
        for one in formats(device)
    }
    measured = costs(subjects, batch, repeats, device)
    rows = tuple(
        Row(
            format=name,
            seconds=measured[name].seconds,
            per_second=batch[1].numel() / measured[name].seconds,
            flops_per_second=flops / measured[name].seconds,
            share=flops / measured[name].seconds / products[name],
            peak_bytes=measured[name].memory.peak_bytes,
            saved_activation_bytes=measured[name].memory.saved_activation_bytes,
            skipped=subject.skipped,
            steps=len(subject.losses),
        )
        for name, subject in subjects.items()
    )
    return Result(workload.name, workload.samples, size, flops, workload.memory_limit, rows)


def measure_what_fits(
    workload: Workload, device: str, measured: Callable[[int], Found], say: Callable[[str], None]
) -> Found:
    """`measured(size)` with the workload's batch, or the largest half, quarter, ... of it that the memory holds.

    Raises LabError if not even one sample fits.
    """
    size = workload.batch_size
    while size:
        try:
            return measured(size)
        except torch.OutOfMemoryError:
            pass  # what the step held is let go only outside of this clause
        gc.collect()
        if device == "cuda":
            torch.cuda.empty_cache()
        if size > 1:
            say(f"{workload.name}: a batch of {size} does not fit into this GPU's memory; {size // 2} instead")
        size //= 2
    raise LabError(f"{workload.name}: not even a batch of one fits into this GPU's memory; free some of it")
