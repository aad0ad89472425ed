"""The roofline of this machine: whether arithmetic or memory bounds a step, and how near to its bound a step comes."""

from dataclasses import dataclass

from labkit.labs.mixed_precision.ladder import Way, flops_of, timed_step
from labkit.labs.mixed_precision.rates import FP8, Product, copies, native_formats, plain_products, thin_products
from labkit.labs.mixed_precision.steps import Workload
from labkit.labs.mixed_precision.work import bytes_moved


@dataclass(frozen=True)
class Sizes:
    """How large the measured products and copies are."""

    product: int  # rows of a square matrix
    numbers: int  # of the thin products' large matrix
    widths: tuple[int, ...]
    copy: int  # bytes


@dataclass(frozen=True)
class Point:
    """A training step of a model: its operations, the bytes that its operators move, and its seconds."""

    model: str
    samples: str
    batch_size: int
    format: str
    flops: int
    bytes_moved: int
    seconds: float


@dataclass(frozen=True)
class Roofline:
    """Rates by format: FLOP/s of plain products, bytes in a second of copies; and what lies below them."""

    products: dict[str, float]
    copies: dict[str, float]
    thin: dict[str, list[Product]]
    points: tuple[Point, ...]


def roof(device: str, sizes: Sizes, repeats: int) -> Roofline:
    """The rates of this machine, and no models yet."""
    return Roofline(
        plain_products(native_formats(device), device, sizes.product, repeats),
        copies(device, sizes.copy, repeats),
        thin_products(device, sizes.numbers, list(sizes.widths), repeats),
        (),
    )


def points(workload: Workload, optimizer: str, size: int, device: str, repeats: int) -> list[Point]:
    """A step of the model in every format that the hardware has: with fused attention and update, not compiled."""
    found = []
    for one in native_formats(device):
        if one != FP8:
            timed = timed_step(workload, optimizer, Way(one.name, fused=True), size, device, repeats)
            work = flops_of(workload, size), bytes_moved(timed.step)
            found.append(Point(workload.name, workload.samples, size, one.name, *work, timed.seconds))
            del timed  # its memory is the next one's
    return found
