"""What a training step does on this rank, and when: its operations, its collective calls, and the bytes it holds."""

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor
from torch.distributed.tensor import DTensor
from torch.utils._pytree import tree_leaves

from labkit.toolbox.measure import StorageCounter

IDLE = 1e-4  # seconds: a shorter gap between two operations is Python's own work

ALL_REDUCE, ALL_GATHER, REDUCE_SCATTER = "all-reduce", "all-gather", "reduce-scatter"
_KINDS = {"allreduce": ALL_REDUCE, "allgather": ALL_GATHER, "reduce_scatter": REDUCE_SCATTER}

Span = tuple[float, float]  # seconds from the step's begin: start, end


@dataclass
class Call:
    """A collective call: when it was started, and when it had ended (None: not in the step).

    `bytes` are those of the whole tensor that is reduced, gathered or scattered, not of this rank's part of it.
    """

    name: str
    bytes: int
    start: float
    end: float | None = None

    @property
    def kind(self) -> str:
        """What the call does, whatever PyTorch names it inside."""
        return next((kind for name, kind in _KINDS.items() if self.name.startswith(name)), self.name)


@dataclass
class Step:
    """A recorded step; times are seconds from its begin.

    Attributes:
        phases: when its phases ended, by name.
        operations: when this rank computed, one span for each operation.
        held: bytes of all tensors that the step touches, those that are there after each operation.
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
        """The bytes of all collective calls."""
        return sum(call.bytes for call in self.calls)

    def sent_by(self, kind: str) -> int:
        """The bytes of the calls of one kind."""
        return sum(call.bytes for call in self.calls if call.kind == kind)

    @property
    def most(self) -> int:
        """The most that is held at one time."""
        return max(held for _, held in self.held)

    def on_a_ring(self, ranks: int) -> float:
        """What this rank puts on the network if each call goes round a ring of so many.

        A ring gathers or scatters in `ranks` - 1 messages, each a part of the tensor; it reduces to all by doing both.
        Source: https://arxiv.org/abs/1802.05799, section 3
        """
        rounds = sum(call.bytes * (2 if call.kind == ALL_REDUCE else 1) for call in self.calls)
        return (ranks - 1) / ranks * rounds

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


def record(step: Callable[[Callable[[str], None]], object], count: int = 1) -> list[Step]:
    """`count` calls of `step`, a whole training step, on all ranks of the group.

    One more call goes before them: a process pays for some things once, and the recorder gets to know the tensors that
    are there all along. `step` gets a function that it calls with a phase's name at its end.
    """
    recorder = _Recorder()
    for _ in range(1 + count):
        dist.barrier()  # so that the ranks' clocks begin together
        recorder.begin()
        with recorder:
            step(recorder.ended)
        recorder.end()
    return recorder.steps[1:]


def quickest(steps: list[Step]) -> list[Step]:
    """Each rank's record of one of the steps: the one in which something else on this machine came between least."""
    for step in steps:
        step.left = min(other.left for other in steps)  # a thread of gloo may hold what it has sent a moment longer
    of_ranks: list[Any] = [None] * dist.get_world_size()
    dist.all_gather_object(of_ranks, steps)
    return list(min(zip(*of_ranks, strict=True), key=lambda ranks: max(step.seconds for step in ranks)))


class _Recorder(StorageCounter):
    """Sees what the dispatcher sees on this thread: the operations of the backward pass and of DDP's C++ too."""

    def __init__(self) -> None:
        super().__init__("cpu")
        self.steps: list[Step] = []
        self._unreported: list[Call] = []  # calls whose end nobody reports

    def begin(self) -> None:
        self._step = Step()
        self._began = time.perf_counter()

    def end(self) -> None:
        self._end_unreported()
        self._step.seconds = self._elapsed()
        self._step.left = self.alive_bytes()
        self._step.held.append((self._step.seconds, self._step.left))
        self.steps.append(self._step)

    def ended(self, phase: str) -> None:
        self._step.phases[phase] = self._elapsed()

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if any(issubclass(one, DTensor) for one in types):
            return NotImplemented  # it comes again, with the tensors of this rank
        start = self._elapsed()
        self._end_unreported()
        result = super().__torch_dispatch__(func, types, args, kwargs)
        self._step.operations.append((start, self._elapsed()))
        self._step.held.append((self._elapsed(), self.alive_bytes()))
        if func.namespace == "c10d" and func is not torch.ops.c10d.barrier.default:  # that one has bytes of its own
            self._follow(Call(func._schema.name.removeprefix("c10d::").strip("_"), _whole(args), start), result)
        return result

    def _follow(self, call: Call, result: Any) -> None:
        self._step.calls.append(call)
        work = dist.Work.unbox(tree_leaves(result)[-1])

        def ended(_: object) -> None:  # on a thread of gloo
            call.end = self._elapsed()

        try:
            work.get_future().add_done_callback(ended)
        except RuntimeError:  # gloo's reduce-scatter has no future: it works while it is waited for
            self._unreported.append(call)

    def _end_unreported(self) -> None:
        """The next operation of this rank comes after the wait for these calls."""
        for call in self._unreported:
            call.end = self._elapsed()
        self._unreported.clear()

    def _elapsed(self) -> float:
        return time.perf_counter() - self._began


def _whole(args: Any) -> int:
    """The bytes of the largest of a call's arguments: of what is gathered or scattered, this rank's part is smaller."""
    return max(sum(leaf.nbytes for leaf in tree_leaves(arg) if isinstance(leaf, Tensor)) for arg in args)


def _merged(spans: list[Span], gap: float = 0.0) -> list[Span]:
    """The spans in their order; those that overlap, or follow each other within `gap`, become one."""
    merged: list[Span] = []
    for start, end in sorted(spans):
        if merged and start <= merged[-1][1] + gap:
            merged[-1] = merged[-1][0], max(end, merged[-1][1])
        else:
            merged.append((start, end))
    return merged
