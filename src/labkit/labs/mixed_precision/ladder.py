"""The ladder of a training step: from float32 upwards, each rung makes one change more, and keeps those before."""

import gc
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import nn
from torch.nn.attention import SDPBackend, sdpa_kernel

from labkit.labs.mixed_precision.rates import formats, native_formats
from labkit.labs.mixed_precision.steps import Workload
from labkit.labs.mixed_precision.work import flops_of_a_sample
from labkit.toolbox.measure import float32_products, interleaved_medians, nothing_computed, step_memory

OPTIMIZERS: dict[str, Callable[..., torch.optim.Optimizer]] = {"SGD": torch.optim.SGD, "AdamW": torch.optim.AdamW}
SETTINGS: dict[str, dict[str, float]] = {"SGD": {"lr": 1e-5, "momentum": 0.9}, "AdamW": {"lr": 1e-5}}  # on noise


@dataclass(frozen=True)
class Way:
    """How a step is computed.

    Attributes:
        format: the number format of the products.
        attention: the kernel of scaled_dot_product_attention; None leaves the choice to PyTorch.
        channels_last: the channels of a pixel lie together in memory.
        compiled: by torch.compile, model and loss.
        fused: the optimizer's update is one kernel.
    """

    format: str = "fp32"
    attention: SDPBackend | None = None
    channels_last: bool = False
    compiled: bool = False
    fused: bool = False


@dataclass(frozen=True)
class Rung:
    """A step after one change more; `seconds` and the rest are None if it cannot be had here, and `why` is the reason.

    Attributes:
        seconds: of a step, the median.
        first_seconds: of the first step, which compiles.
        peak_bytes: of a step, by the allocator on CUDA; None where the step cannot be counted.
        loss: of the first step, which all rungs make from the same weights on the same batch.
    """

    change: str
    format: str
    seconds: float | None = None
    first_seconds: float | None = None
    peak_bytes: int | None = None
    loss: float | None = None
    why: str = ""


@dataclass(frozen=True)
class Ladder:
    """The rungs of a workload, lowest first; `flops` are those of a step."""

    workload: str
    samples: str
    batch_size: int
    optimizer: str
    flops: int
    rungs: tuple[Rung, ...]


START = Way(attention=SDPBackend.MATH)
Change = tuple[str, dict[str, Any]]  # what a rung changes, in words and as attributes of Way


def changes(workload: Workload, device: str) -> Iterator[Change]:
    """The rungs for a workload: those of attention, or those of convolutions."""
    kinds = {type(module) for module in _meta(workload).modules()}
    attends = nn.Conv2d not in kinds
    here = {one.name for one in native_formats(device)}
    yield "float32" + (", attention as plain products" if attends else ""), {}
    for name, words in (("tf32", "TF32"), ("bf16", "bf16 autocast")):
        if name in here:
            yield words, {"format": name}
    if attends:
        yield "flash attention", {"attention": SDPBackend.FLASH_ATTENTION}
    else:
        yield "channels last", {"channels_last": True}
    yield "torch.compile", {"compiled": True}
    yield "fused optimizer", {"fused": True}


def _meta(workload: Workload) -> nn.Module:
    with torch.device("meta"):
        return workload.model()


class Step:
    """A training step of a model of its own in this way: call it. It returns the loss, as a tensor."""

    def __init__(self, workload: Workload, optimizer: str, way: Way, size: int, device: str) -> None:
        torch.manual_seed(0)
        with torch.device(device):
            self.model = workload.model()
        self.inputs, self.targets = workload.batch(size, device)
        if way.channels_last:
            self.model.to(memory_format=torch.channels_last)  # type: ignore[call-overload]  # it takes no other words
            self.inputs = self.inputs.to(memory_format=torch.channels_last)
        self.criterion, self.way, self.device = workload.criterion, way, device
        # fused=False would turn off PyTorch's own second best as well, updates of many tensors at once.
        fused = True if way.fused else None
        self.optimizer = OPTIMIZERS[optimizer](self.model.parameters(), fused=fused, **SETTINGS[optimizer])
        self.forward = torch.compile(self._loss) if way.compiled else self._loss

    def _loss(self) -> torch.Tensor:
        return self.criterion(self.model(self.inputs), self.targets)

    def __call__(self) -> torch.Tensor:
        found = next(one for one in formats(self.device) if one.name == self.way.format)
        self.optimizer.zero_grad()
        with ExitStack() as settings:
            settings.enter_context(float32_products(found.products))
            if self.way.attention is not None:
                settings.enter_context(sdpa_kernel(self.way.attention))
            with torch.autocast(self.device, found.dtype, enabled=found.dtype != torch.float32):
                loss = self.forward()
            loss.backward()
        self.optimizer.step()
        return loss.detach()


def climb(
    workload: Workload,
    optimizer: str,
    size: int,
    device: str,
    repeats: int,
    say: Callable[[str], None] = print,
    compiled: bool = True,
) -> Ladder:
    """Measures each rung, one after the other. A change that cannot be had here is left out of those above it.

    `compiled=False` leaves torch.compile out, which takes minutes on a CPU.
    """
    rungs: list[Rung] = []
    way = START
    for words, change in changes(workload, device):
        if "compiled" in change and not compiled:
            continue
        tried = replace(way, **change)
        rung = _measured(workload, optimizer, tried, words, size, device, repeats)
        say(f"{workload.name}: {words}: " + (f"{rung.seconds * 1e3:.1f} ms" if rung.seconds else rung.why))
        rungs.append(rung)
        if rung.seconds:
            way = tried
    return Ladder(workload.name, workload.samples, size, optimizer, flops_of(workload, size), tuple(rungs))


def flops_of(workload: Workload, size: int) -> int:
    """Operations of a step on so many samples, counted without computing."""
    with nothing_computed():
        return size * flops_of_a_sample(workload, workload.model(), "cpu")


def _measured(workload: Workload, optimizer: str, way: Way, words: str, size: int, device: str, repeats: int) -> Rung:
    try:
        timed = timed_step(workload, optimizer, way, size, device, repeats)
    except torch.OutOfMemoryError:
        raise
    except Exception as error:
        if way == START:
            raise
        # A compiler that is missing, a kernel that this GPU has not: that fails in many ways.
        lines = str(error).strip().splitlines() or [""]
        return Rung(words, way.format, why=f"not here: {type(error).__name__}: {lines[0][:120]}")
    return Rung(words, way.format, timed.seconds, timed.first_seconds, _peak(timed.step, device), timed.loss)


@dataclass(frozen=True)
class Timed:
    """A step, its first seconds and loss, and the median of its seconds later on."""

    step: Step
    first_seconds: float
    loss: float
    seconds: float


def timed_step(workload: Workload, optimizer: str, way: Way, size: int, device: str, repeats: int) -> Timed:
    """Makes a step and measures it, with nothing of earlier ones in the device's memory."""
    gc.collect()
    if "torch._dynamo" in sys.modules:  # it takes seconds to import, and has compiled nothing before
        torch.compiler.reset()
    if device == "cuda":
        torch.cuda.empty_cache()
    step = Step(workload, optimizer, way, size, device)
    start = time.perf_counter()
    loss = step().item()
    first = time.perf_counter() - start
    seconds = interleaved_medians({"step": step}, repeats=repeats, device=device)["step"]
    return Timed(step, first, loss, seconds)


def _peak(step: Step, device: str) -> int | None:
    """Bytes of a step. On a CPU they are counted operator by operator, and a compiled step has none to see."""
    if device == "cuda":
        torch.cuda.reset_peak_memory_stats()
        step()
        torch.cuda.synchronize()
        return torch.cuda.max_memory_allocated()
    return None if step.way.compiled else step_memory(step, warmup=0).peak_bytes
