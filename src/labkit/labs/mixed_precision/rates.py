"""How fast this machine multiplies matrices in each number format, and how fast it copies: what no step can exceed."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import torch
from torch import Tensor

from labkit.toolbox.measure import check_amp_available, float32_products, interleaved_medians

PRODUCTS = 8  # products or copies in a timed turn, so that one's launch hides behind another's work


@dataclass(frozen=True)
class Format:
    """A number format of the arithmetic: autocast's dtype, and how float32 is multiplied ("ieee" or "tf32")."""

    name: str
    dtype: torch.dtype
    products: str = "ieee"


FP8 = Format("fp8", torch.float8_e4m3fn)  # the course's trainer does not train in it


def formats(device: str) -> list[Format]:
    """Those that a training can run in here; on a GPU tf32 and bf16 only where its hardware has them."""
    found = [Format("fp32", torch.float32)]
    if _capability(device) >= (8, 0):
        found.append(Format("tf32", torch.float32, "tf32"))
    found.append(Format("fp16", torch.float16))
    if device == "cpu" or check_amp_available(torch.bfloat16, device):
        found.append(Format("bf16", torch.bfloat16))
    return found


def native_formats(device: str) -> list[Format]:
    """The formats of `formats` that the hardware has instructions for, and fp8 where it multiplies in it."""
    return [one for one in with_fp8(device) if one == FP8 or check_amp_available(one.dtype, device)]


def with_fp8(device: str) -> list[Format]:
    """The formats of `formats`, and fp8 where the hardware multiplies in it."""
    return [*formats(device), FP8] if has_fp8(device) else formats(device)


def has_fp8(device: str) -> bool:
    """Whether the hardware multiplies fp8: NVIDIA's from compute capability 8.9 on."""
    return _capability(device) >= (8, 9)


def _capability(device: str) -> tuple[int, int]:
    """The compute capability of an NVIDIA GPU, (0, 0) of anything else."""
    return torch.cuda.get_device_capability() if device == "cuda" and torch.version.cuda else (0, 0)


def plain_products(among: list[Format], device: str, size: int, repeats: int) -> dict[str, float]:
    """FLOP/s of the product of two square matrices of `size` rows, by format."""
    matrix = torch.randn(size, size, device=device)
    turns = {one.name: partial(multiply, matrix.to(one.dtype), matrix.to(one.dtype), one.products) for one in among}
    seconds = interleaved_medians(turns, repeats=repeats, device=device)
    return {name: PRODUCTS * 2 * size**3 / each for name, each in seconds.items()}


def multiply(left: Tensor, right: Tensor, products: str) -> None:
    """A turn of products of `left` with `right`; in fp8 with its transpose (there it has to lie by columns)."""
    if left.dtype == FP8.dtype:
        one = torch.ones((), device=left.device)
        for _ in range(PRODUCTS):
            torch._scaled_mm(left, right.t(), scale_a=one, scale_b=one, out_dtype=torch.bfloat16, use_fast_accum=True)
        return
    with float32_products(products):
        for _ in range(PRODUCTS):
            left @ right


@dataclass(frozen=True)
class Product:
    """A measured product: the operations for each byte that it has to move, and operations in a second."""

    intensity: float
    flops_per_second: float


def thin_products(device: str, numbers: int, widths: list[int], repeats: int) -> dict[str, list[Product]]:
    """Products of a matrix of `numbers` numbers, `width` in a row, with a square one of `width` rows, by format.

    The thinner they are, the fewer operations there are for each number that is read: the products climb the roof.
    """
    found: dict[str, list[Product]] = {one.name: [] for one in native_formats(device)}
    for width in widths:
        rows = numbers // width
        turns: dict[str, Callable[[], None]] = {}
        moved: dict[str, int] = {}
        for one in native_formats(device):
            left = torch.randn(rows, width, device=device).to(one.dtype)
            right = torch.randn(width, width, device=device).to(one.dtype)
            turns[one.name] = partial(multiply, left, right, one.products)
            result = 2 if one == FP8 else one.dtype.itemsize  # fp8's products come out as bfloat16
            moved[one.name] = (rows * width + width**2) * one.dtype.itemsize + rows * width * result
        flops = 2 * rows * width**2
        for name, seconds in interleaved_medians(turns, repeats=repeats, device=device).items():
            found[name].append(Product(flops / moved[name], PRODUCTS * flops / seconds))
    return found


def copies(device: str, size: int, repeats: int) -> dict[str, float]:
    """Bytes in a second, read and written, of copying `size` bytes, by the format of the numbers."""
    turns: dict[str, Callable[[], None]] = {}
    for one in native_formats(device):
        if one.products == "ieee":  # tf32 is stored as float32
            numbers = torch.randn(size // one.dtype.itemsize, device=device).to(one.dtype)
            turns[one.name] = partial(_copy, numbers, torch.empty_like(numbers))
    seconds = interleaved_medians(turns, repeats=repeats, device=device)
    return {name: PRODUCTS * 2 * size / each for name, each in seconds.items()}


def _copy(source: Tensor, target: Tensor) -> None:
    for _ in range(PRODUCTS):
        target.copy_(source)


def with_prefix(number: float) -> str:
    """Three digits and the prefix of a unit: 7.66e14 is "766 T"."""
    prefix, size = next((pair for pair in (("P", 1e15), ("T", 1e12), ("G", 1e9)) if number >= pair[1]), ("M", 1e6))
    return f"{number / size:.3g} {prefix}"
