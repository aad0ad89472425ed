"""What one training step does on this rank, and when: its operations, its collective calls, and the bytes it holds."""

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import torch.distributed as dist
from torch import Tensor
from torch.utils._pytree import tree_leaves

from labkit.toolbox.measure import StorageCounter

IDLE = 1e-4  # seconds: a shorter gap between two operations is Python's own work

Span = tuple[float, float]  # seconds from the step's begin: start, end


@dataclass
class Call:
    """A collective call: what was handed to it, when it was started, and when it had ended (None: not in the step)."""

    name: str
    bytes: int
    start: float
    end: float | None = None


@dataclass
class Step:
    """A recorded step; times are seconds from its begin.

    Attributes:
        phases: when its phases ended, by name.
        operations: when this rank computed, one span for each operation.
        held: bytes of all tensors that the step has touched and that are there, after each operation.
        left: those that are still there when the step is over.
    """

    seconds: float = 0.0
    phases: dict[str, float] = field(default_factory=dict)
    operations: list[Span] = field(default_factory=list)
    calls: list[Call] = field(default_factory=list)
    held: list[tuple[float, int]] = field(default_factory=list)
    left: int = 0

    @property
    def sent(self) -> int:
        """The bytes that were handed to collective calls."""
        return sum(call.bytes for call in self.calls)

    def computing(self) -> dict[str, list[Span]]:
        """When this rank computed, for each phase; operations that follow each other at once are one span."""
        spans: dict[str, list[Span]] = {}
        begin = 0.0
        for phase, end in self.phases.items():
            spans[phase] = _merged([span for span in self.operations if begin <= span[0] < end], IDLE)
            begin = end
        return spans

    def under_way(self) -> list[Span]:
        """From the start to the end of each call."""
        return [(call.start, self.seconds if call.end is None else call.end) for call in self.calls]

    def waits(self) -> list[Span]:
        """When nothing computed here while a call was on its way."""
        times = [0.0, *(time for span in self.operations for time in span), self.seconds]
        gaps = [gap for gap in zip(times[::2], times[1::2], strict=True) if gap[1] - gap[0] > IDLE]
        some_call = _merged(self.under_way())
        both = [(max(gap[0], span[0]), min(gap[1], span[1])) for gap in gaps for span in some_call]
        return [(start, end) for start, end in both if end > start]


def record(step: Callable[[Callable[[str], None]], object]) -> Step:
    """One call of `step`, a whole training step. It gets a function that it calls with a phase's name at its end."""
    recorder = _Recorder()
    with recorder:
        step(recorder.ended)
    return recorder.recorded()


class _Recorder(StorageCounter):
    """Sees what the dispatcher sees on this thread: the operations of the backward pass and of DDP's C++ too."""

    def __init__(self) -> None:
        super().__init__("cpu")
        self._step = Step()
        self._from_before = 0  # bytes of tensors that the step has found
        self._begin = time.perf_counter()

    def recorded(self) -> Step:
        self._step.seconds = self._elapsed()
        self._step.left = self._now
        # What the step found was there from its begin, however late it was touched.
        self._step.held = [(time, bytes + self._from_before) for time, bytes in self._step.held]
        return self._step

    def ended(self, phase: str) -> None:
        self._step.phases[phase] = self._elapsed()

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        start = self._elapsed()
        result = super().__torch_dispatch__(func, types, args, kwargs)
        self._step.operations.append((start, self._elapsed()))
        self._step.held.append((self._elapsed(), self._now - self._from_before))
        if func.namespace == "c10d" and (sent := _sent(func, args)):
            self._follow(Call(func._schema.name.removeprefix("c10d::").strip("_"), sent, start), result)
        return result

    def appeared(self, key: int, size: int, made_here: bool) -> None:
        if not made_here:
            self._from_before += size

    def _follow(self, call: Call, result: Any) -> None:
        self._step.calls.append(call)
        work = dist.Work.unbox(tree_leaves(result)[-1])

        def ended(_: object) -> None:  # on a thread of gloo
            call.end = self._elapsed()

        work.get_future().add_done_callback(ended)

    def _elapsed(self) -> float:
        return time.perf_counter() - self._begin


def _sent(func: Any, args: Any) -> int:
    """The bytes of the tensors that a call of torch.distributed takes from this rank."""
    given = zip(func._schema.arguments, args, strict=False)
    inputs = [value for argument, value in given if argument.name == "tensors" or argument.name.startswith("input")]
    return sum(leaf.nbytes for leaf in tree_leaves(inputs) if isinstance(leaf, Tensor))


def _merged(spans: list[Span], gap: float = 0.0) -> list[Span]:
    """The spans in their order; those that overlap, or follow each other within `gap`, become one."""
    merged: list[Span] = []
    for start, end in sorted(spans):
        if merged and start <= merged[-1][1] + gap:
            merged[-1] = merged[-1][0], max(end, merged[-1][1])
        else:
            merged.append((start, end))
    return merged
