"""Which number formats this machine computes in: the hardware's flags decide, and a small product shows it."""

import time
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from labkit.toolbox.measure import check_amp_available, float32_products, interleaved_medians, one_thread

SIZES = {"cpu": 256, "cuda": 4096}  # of the square matrices: a CPU that emulates may be 100 times slower
ROUNDS = 50
BUDGET = 0.7  # seconds
TYPES = {"fp32": torch.float32, "tf32": torch.float32, "fp16": torch.float16, "bf16": torch.bfloat16}


@dataclass(frozen=True)
class Speed:
    """How long a matrix product took in a format, and whether the hardware has it: a busy machine is slow in any.

    `seconds` is None where the product cannot be had, and `why` is the reason.
    """

    name: str
    native: bool
    seconds: float | None = None
    against_fp32: float | None = None
    why: str = ""


def measured(device: str) -> list[Speed]:
    """A row for each of fp32, tf32, fp16, bf16 and fp8, within about a second.

    On one thread, and the quickest of several rounds: what else runs on the machine makes a product slower, never
    faster.
    """
    with one_thread():
        return _measured(device)


def _measured(device: str) -> list[Speed]:
    products, refused = {}, {}
    for name in (*TYPES, "fp8"):
        try:
            product = _product(name, device)
            product()
            products[name] = product
        except (RuntimeError, ValueError, TypeError, AttributeError, NotImplementedError) as error:
            refused[name] = str(error).splitlines()[0] if str(error) else type(error).__name__
    best = interleaved_medians(products, repeats=1, warmup=0, device=device)
    end = time.monotonic() + BUDGET
    for _ in range(ROUNDS):
        if time.monotonic() < end:
            again = interleaved_medians(products, repeats=1, warmup=0, device=device)
            best = {name: min(best[name], again[name]) for name in best}
    return [
        Speed(name, _native(name, device), best[name], best["fp32"] / best[name])
        if name in best
        else Speed(name, False, why=refused[name])
        for name in (*TYPES, "fp8")
    ]


def _native(name: str, device: str) -> bool:
    """Whether the hardware computes in the format; there is no product in tf32 or fp8 where it does not."""
    return name not in ("fp16", "bf16") or check_amp_available(TYPES[name], device)


def _product(name: str, device: str) -> Callable[[], Tensor]:
    """A matrix product in the format; raises where this device or this PyTorch has none."""
    size = SIZES[device]
    if name == "fp8":
        return _product_in_fp8(size, device)
    if name == "tf32" and (device != "cuda" or torch.cuda.get_device_capability() < (8, 0)):
        raise ValueError("a format of NVIDIA GPUs, from the A100 on")
    matrix = torch.full((size, size), 0.5, device=device, dtype=TYPES[name])
    precision = "tf32" if name == "tf32" else "ieee"

    def product() -> Tensor:
        with float32_products(precision):
            return matrix @ matrix

    return product


def _product_in_fp8(size: int, device: str) -> Callable[[], Tensor]:
    """PyTorch's one function for fp8 products wants a scale for each matrix, and the second one transposed."""
    if device != "cuda" or torch.cuda.get_device_capability() < (8, 9):
        raise ValueError("a format of NVIDIA GPUs, from Ada and Hopper (L4, H100) on")
    matrix = torch.full((size, size), 0.5, device=device).to(torch.float8_e4m3fn)
    one = torch.ones((), device=device)
    return lambda: torch._scaled_mm(matrix, matrix.t(), scale_a=one, scale_b=one, out_dtype=torch.bfloat16)
