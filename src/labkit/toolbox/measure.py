"""What a training step costs on this machine (memory, time), and which number formats its hardware computes in."""

import os
import platform
import statistics
import time
import weakref
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, UntypedStorage
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_iter

FORMATS: tuple[torch.dtype, ...] = (torch.float32, torch.float16, torch.bfloat16)

# Names in torch.cpu.get_capabilities(): the instructions that compute in the format instead of converting to float32.
_NATIVE_INSTRUCTIONS: dict[torch.dtype, tuple[str, ...]] = {
    torch.float16: ("avx512_fp16", "amx_fp16", "fp16_arith"),
    torch.bfloat16: ("avx512_bf16", "amx_bf16", "bf16", "sve_bf16"),
}


@dataclass(frozen=True)
class StepMemory:
    """Bytes that one training step needs.

    `peak_bytes`: all tensors alive at the worst moment: weights, gradients, optimizer state, batch, activations.
    `saved_activation_bytes`: the most that autograd held at one time for the backward pass, without what was there
    before the step (weights, batch). Under autocast the half-precision copies of the weights count: they are extra.
    """

    peak_bytes: int
    saved_activation_bytes: int


def step_memory(step: Callable[[], object], device: torch.device | str = "cpu", warmup: int = 1) -> StepMemory:
    """Memory of one call of `step`, a whole training step: zero_grad, forward, backward, optimizer.

    `step` first runs `warmup` times unmeasured, because optimizers create their state in the first step. On a CPU the
    peak is counted from the tensors themselves: every tensor that an operation of the step reads or makes, those from
    before the step included (an operation's private scratch space stays unseen). On CUDA the peak is that of the
    caching allocator, which includes whatever else the process holds there.
    """
    device = torch.device(device)
    for _ in range(warmup):
        step()
    counter = StorageCounter(device.type)
    if device.type == "cuda":
        torch.cuda.synchronize(device)
        torch.cuda.reset_peak_memory_stats(device)
    with counter, counter.saved_tensors():
        step()
    peak = counter.peak
    if device.type == "cuda":
        torch.cuda.synchronize(device)
        peak = torch.cuda.max_memory_allocated(device)
    return StepMemory(peak_bytes=peak, saved_activation_bytes=counter.saved_peak)


class StorageCounter(TorchDispatchMode):
    """Follows the life of every storage that an operation touches while the mode is on.

    Keys are `id(storage)`: PyTorch keeps the Python object as long as the storage itself, so a finalizer on the object
    marks the moment at which the memory is given back. A subclass that wants to know more than the peaks overrides
    `appeared`, `vanished` and `saved`.
    """

    def __init__(self, device_type: str) -> None:
        super().__init__()
        self.device_type = device_type
        self.peak = 0
        self.saved_peak = 0
        self._now = 0
        self._saved_now = 0
        self._made_here: dict[int, bool] = {}
        self._storages: dict[int, weakref.ref[UntypedStorage]] = {}
        self._saved: dict[int, int] = {}

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        self._see((args, kwargs), made_here=False)
        result = func(*args, **kwargs)
        self._see(result, made_here=True)
        return result

    def _see(self, values: object, made_here: bool) -> None:
        for value in tree_iter(values):
            if not isinstance(value, Tensor) or value.device.type != self.device_type:
                continue
            storage = value.untyped_storage()
            if id(storage) in self._made_here:
                continue
            size = storage.nbytes()
            self._made_here[id(storage)] = made_here
            self._storages[id(storage)] = weakref.ref(storage)
            weakref.finalize(storage, self._forget, id(storage), size).atexit = False
            self._now += size
            # A storage from before the step was alive at every earlier moment too, so it lifts the peak by its size.
            self.peak = max(self.peak, self._now) if made_here else self.peak + size
            self.appeared(id(storage), size, made_here)

    def _forget(self, key: int, size: int) -> None:
        del self._made_here[key], self._storages[key]
        self._now -= size
        self._saved_now -= self._saved.pop(key, 0)
        self.vanished(key)

    def alive_bytes(self) -> int:
        """Bytes of all storages that have appeared and are there, in their sizes of now: `resize_(0)` frees one."""
        storages = [one() for one in self._storages.copy().values()]  # a thread of gloo may give one back meanwhile
        return sum(storage.nbytes() for storage in storages if storage is not None)

    def appeared(self, key: int, size: int, made_here: bool) -> None:
        """A storage of `size` bytes was read or made for the first time; `made_here` tells which."""

    def vanished(self, key: int) -> None:
        """A storage that had appeared gave its memory back."""

    def saved(self, key: int) -> None:
        """Autograd keeps a storage that the step made, for the backward pass."""

    def saved_tensors(self) -> AbstractContextManager[None]:
        """Hooks that count what autograd saves; they hand each tensor through unchanged."""
        return torch.autograd.graph.saved_tensors_hooks(self._count_saved, lambda tensor: tensor)

    def _count_saved(self, tensor: Tensor) -> Tensor:
        storage = tensor.untyped_storage()
        if self._made_here.get(id(storage), False) and id(storage) not in self._saved:
            self._saved[id(storage)] = storage.nbytes()
            self._saved_now += storage.nbytes()
            self.saved_peak = max(self.saved_peak, self._saved_now)
            self.saved(id(storage))
        return tensor


def nothing_computed() -> AbstractContextManager[Any]:
    """Inside, tensors have shape, dtype and storage, and no numbers: an operation takes no memory and hardly any time.

    So `step_memory` counts a step of a model that this machine could not hold. Model, batch and optimizer have to be
    made inside too; what reads a number (`item`, a branch on a tensor) raises.
    """
    return FakeTensorMode(allow_non_fake_inputs=True)


def interleaved_medians(
    steps: Mapping[str, Callable[[], object]], repeats: int = 10, warmup: int = 2, device: torch.device | str = "cpu"
) -> dict[str, float]:
    """Median seconds of a call of each entry; the entries take turns, so that a change in machine load hits all alike.

    Each entry first runs `warmup` times untimed. On CUDA the clock waits for the device. Raises ValueError if `repeats`
    is below 1.
    """
    if repeats < 1:
        raise ValueError(f"repeats must be at least 1, got {repeats}")
    seconds: dict[str, list[float]] = {name: [] for name in steps}
    for turn in range(warmup + repeats):
        for name, step in steps.items():
            elapsed = _seconds(step, device)
            if turn >= warmup:
                seconds[name].append(elapsed)
    return {name: statistics.median(times) for name, times in seconds.items()}


def _seconds(step: Callable[[], object], device: torch.device | str) -> float:
    on_cuda = torch.device(device).type == "cuda"
    if on_cuda:
        torch.cuda.synchronize(device)
    start = time.perf_counter()
    step()
    if on_cuda:
        torch.cuda.synchronize(device)
    return time.perf_counter() - start


def check_amp_available(dtype: torch.dtype = torch.float16, device_type: str = "cuda") -> bool:
    """Whether this machine runs autocast in `dtype` natively on that device type, not emulated through float32.

    Asks the hardware and measures nothing; `make doctor` does. False where there is no such device.
    Raises ValueError unless `dtype` is float16, bfloat16 or float32.
    """
    if dtype not in FORMATS:
        raise ValueError(f"dtype must be torch.float16, torch.bfloat16 or torch.float32, got {dtype}")
    if device_type == "cpu":
        return dtype == torch.float32 or _cpu_computes_in(dtype)
    if device_type == "cuda" and torch.cuda.is_available():
        return dtype != torch.bfloat16 or torch.cuda.is_bf16_supported(including_emulation=False)
    return False


def _cpu_computes_in(dtype: torch.dtype) -> bool:
    capabilities = torch.cpu.get_capabilities()
    return any(capabilities.get(name, False) for name in _NATIVE_INSTRUCTIONS[dtype])


def hardware() -> dict[str, str | int | bool | None]:
    """What a measurement was taken on: names, counts and versions. `gpu` is None without one; `tf32` is for matmuls."""
    return {
        "cpu": _cpu_name(),
        "cores": os.cpu_count(),
        "threads": torch.get_num_threads(),
        "gpu": torch.cuda.get_device_name() if torch.cuda.is_available() else None,
        "torch": torch.__version__,
        "python": platform.python_version(),
        "tf32": torch.backends.cuda.matmul.fp32_precision == "tf32",
    }


def _cpu_name() -> str:
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.exists():
        for line in cpuinfo.read_text().splitlines():
            if line.startswith("model name"):
                return line.split(":", 1)[1].strip()
    return platform.processor() or platform.machine()


@contextmanager
def float32_products(precision: str) -> Iterator[None]:
    """While it lasts, CUDA multiplies float32 in float32 ("ieee") or rounds it to "tf32", convolutions included."""
    cudnn: Any = torch.backends.cudnn  # its stubs lack `conv`
    kinds = torch.backends.cuda.matmul, cudnn.conv
    before = [kind.fp32_precision for kind in kinds]
    try:
        for kind in kinds:
            kind.fp32_precision = precision
        yield
    finally:
        for kind, old in zip(kinds, before, strict=True):
            kind.fp32_precision = old


@contextmanager
def one_thread() -> Iterator[None]:
    """One CPU thread while it lasts: many that wait for each other take a busy machine ten times longer."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)
