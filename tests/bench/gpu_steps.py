"""Measures a training step in each number format at sizes that fill a GPU, beside what a plain product reaches there.

Training runs in fp32, tf32, fp16 and bf16, as far as the GPU has them. Of fp8 there is only the plain product: the
course's trainer does not train in it.
"""

import gc
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from types import ModuleType

import torch
from torch import Tensor, nn
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.flop_counter import FlopCounterMode

from bench.gpu_workloads import Filling
from labkit.course.errors import LabError
from labkit.labs.mixed_precision.steps import Subject, Workload, costs
from labkit.toolbox.measure import check_amp_available, float32_products, interleaved_medians

PRODUCTS = 8  # plain products in a timed turn, so that one's launch hides behind another's work
LEARNING_RATE = 1e-5  # all formats train the same weights, on noise: nothing should blow up


@dataclass(frozen=True)
class Format:
    """A number format of the arithmetic: autocast's dtype, and how float32 is multiplied ("ieee" or "tf32")."""

    name: str
    dtype: torch.dtype
    products: str = "ieee"


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


def formats(device: str) -> list[Format]:
    """Those that a training can run in here; on a GPU tf32 and bf16 only where its hardware has them."""
    found = [Format("fp32", torch.float32)]
    if _capability(device) >= (8, 0):
        found.append(Format("tf32", torch.float32, "tf32"))
    found.append(Format("fp16", torch.float16))
    if device == "cpu" or check_amp_available(torch.bfloat16, device):
        found.append(Format("bf16", torch.bfloat16))
    return found


def has_fp8(device: str) -> bool:
    """Whether the hardware multiplies fp8: NVIDIA's from compute capability 8.9 on."""
    return _capability(device) >= (8, 9)


def _capability(device: str) -> tuple[int, int]:
    """The compute capability of an NVIDIA GPU, (0, 0) of anything else."""
    return torch.cuda.get_device_capability() if device == "cuda" and torch.version.cuda else (0, 0)


def plain_products(device: str, size: int, repeats: int) -> dict[str, float]:
    """FLOP/s of the product of two square matrices of `size` rows, by format."""
    matrix = torch.randn(size, size, device=device)
    turns: dict[str, Callable[[], None]] = {
        one.name: partial(_multiply, matrix.to(one.dtype), one.products) for one in formats(device)
    }
    if has_fp8(device):
        turns["fp8"] = partial(multiply_fp8, matrix.to(torch.float8_e4m3fn))
    seconds = interleaved_medians(turns, repeats=repeats, device=device)
    return {name: PRODUCTS * 2 * size**3 / each for name, each in seconds.items()}


def _multiply(matrix: Tensor, products: str) -> None:
    with float32_products(products):
        for _ in range(PRODUCTS):
            matrix @ matrix


def multiply_fp8(matrix: Tensor) -> None:
    """A turn of products of a float8_e4m3fn matrix with its transpose (the second factor has to lie by columns)."""
    one = torch.ones((), device=matrix.device)
    for _ in range(PRODUCTS):
        torch._scaled_mm(matrix, matrix.t(), scale_a=one, scale_b=one, out_dtype=torch.bfloat16, use_fast_accum=True)


def flops_of_a_sample(workload: Workload, model: nn.Module, device: str) -> int:
    """Multiplications and additions of the products of a step, forward and backward, for one sample.

    Attention counts as the plain products that it stands for: whole, although a causal mask hides half of it, and
    without what a fused kernel computes a second time.
    """
    inputs, targets = workload.batch(2, device)
    with FlopCounterMode(display=False) as counter, sdpa_kernel(SDPBackend.MATH):
        workload.criterion(model(inputs), targets).backward()
    model.zero_grad()
    return counter.get_total_flops() // 2


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
    lab: ModuleType,
    workload: Filling,
    device: str,
    products: dict[str, float],
    repeats: int,
    say: Callable[[str], None],
) -> Result:
    """`measure` with the workload's batch, or the largest half, quarter, ... of it that the memory holds.

    Raises LabError if not even one sample fits.
    """
    size = workload.batch_size
    while size:
        try:
            return measure(lab, workload, size, device, products, repeats)
        except torch.OutOfMemoryError:
            pass  # what the step held is let go only outside of this clause
        gc.collect()
        if device == "cuda":
            torch.cuda.empty_cache()
        if size > 1:
            say(f"{workload.name}: a batch of {size} does not fit into this GPU's memory; {size // 2} instead")
        size //= 2
    raise LabError(f"{workload.name}: not even a batch of one fits into this GPU's memory; free some of it")
