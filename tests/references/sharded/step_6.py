"""Step 6 of Lab 03: drawn stacks, logs and faults, and what is odd in them by the definitions."""

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor

from labkit.judge.draw import Draw

RANKS = 3
NAMES = ("all_reduce", "broadcast", "all_gather")
DTYPES = (torch.float32, torch.bfloat16, torch.int64)
FUNCTIONS = ("forward", "backward", "step2", "log", "_save", "load_batch", "<module>", "<lambda>", "<listcomp>")
Call = list[Any]  # name, dtype, shape


def odd(values: Sequence[object]) -> list[int]:
    """The ranks whose value is not the most frequent one; the lowest rank's of equally frequent ones."""
    counts = [sum(value == other for other in values) for value in values]
    usual = values[counts.index(max(counts))]
    return [rank for rank, value in enumerate(values) if value != usual]


def frame(path: str, line: int, function: str) -> str:
    return f'  File "{path}", line {line} in {function}\n'


def drawn_stack(draw: Draw, folder: str, file: str, waits: tuple[int, str] | None) -> str:
    """Of a rank that `waits` in this line and function of the file; of one that waits elsewhere, if that is None."""
    here = [frame(folder + file, *waits)] if waits else []
    if waits:
        callers = [(draw.integer(1, 200), draw.choice(FUNCTIONS)) for _ in range(draw.integer(0, 2))]
        here += [frame(folder + file, *caller) for caller in callers]
    other = file.replace(".", "_") + ".py", f"re{file}", f"{file}x", file.replace(".", "-"), f"{file}/wait.py"
    inside = [frame(f"/usr/lib/{draw.choice(other)}", draw.integer(1, 200), "wait")]
    if draw.integer(0, 1):
        inside.insert(0, frame("/usr/lib/torch/distributed/distributed_c10d.py", draw.integer(900, 999), "all_reduce"))
    outside = [frame("/usr/lib/runpy.py", draw.integer(1, 200), "<module>")]
    threads = [
        "".join([*inside, *here, *outside]),
        frame("/usr/lib/threading.py", draw.integer(1, 400), "wait") + frame(f"/usr/lib/re{file}", 7, "watch"),
    ]
    starts = [f"Thread 0x{draw.integer(2**40, 2**44):016x} (most recent call first):\n" for _ in threads]
    return "\n".join(f"{start}{text}" for start, text in zip(starts, draw.shuffled(threads), strict=True))


def drawn_calls(draw: Draw, count: int) -> list[Call]:
    """No two neighbours are equal: a call that is left out shows where it was."""
    calls: list[Call] = []
    while len(calls) < count:
        call = [draw.choice(NAMES), draw.choice(DTYPES), [draw.integer(1, 3), draw.integer(2, 4)]]
        if [call] != calls[-1:]:
            calls.append(call)
    return calls


def _another(draw: Draw, options: Sequence[Any], value: Any) -> Any:
    return draw.choice([option for option in options if option != value])


FAULTS: dict[str, Callable[[Draw, list[Call], int], list[Call]]] = {
    "left out": lambda draw, calls, at: calls[:at] + calls[at + 1 :],
    "once too often": lambda draw, calls, at: calls[: at + 1] + calls[at:],
    "ends early": lambda draw, calls, at: calls[:at],
    "another name": lambda draw, calls, at: _changed(calls, at, 0, _another(draw, NAMES, calls[at][0])),
    "another dtype": lambda draw, calls, at: _changed(calls, at, 1, _another(draw, DTYPES, calls[at][1])),
    "another shape": lambda draw, calls, at: _changed(calls, at, 2, [calls[at][2][0], calls[at][2][1] + 1]),
    "same number in another shape": lambda draw, calls, at: _changed(calls, at, 2, [*calls[at][2], 1]),
    "all of it": lambda draw, calls, at: _changed(
        _changed(calls, at, 1, _another(draw, DTYPES, calls[at][1])), at, 2, [*calls[at][2], 1]
    ),
}


def _changed(calls: list[Call], at: int, part: int, value: Any) -> list[Call]:
    call = list(calls[at])
    call[part] = value
    return [*calls[:at], call, *calls[at + 1 :]]


def faulty_logs(draw: Draw, fault: str, ranks: Sequence[int], count: int = RANKS) -> list[list[Call]]:
    """The calls of `count` ranks, where `ranks` have the fault at a drawn index, and one of all another one later."""
    calls = drawn_calls(draw, draw.integer(6, 9))
    at = draw.integer(1, 3)
    faulty = FAULTS[fault](draw, calls, at)
    logs = [faulty if rank in ranks else calls for rank in range(count)]
    later = draw.integer(0, count - 1)
    if fault != "ends early":
        logs[later] = FAULTS["another name"](draw, logs[later], len(calls) - 2)
    return logs


def first_difference(logs: Sequence[list[Call]]) -> list | None:
    for index in range(max(len(calls) for calls in logs)):
        row = [calls[index] if index < len(calls) else None for calls in logs]
        if found := odd(row):
            calls = [call for call in row if call is not None]
            if len(calls) < len(row):
                return [index, "ended", found]
            different = [len({str(call[part]) for call in calls}) > 1 for part in range(3)]
            return [index, ("name", "dtype", "shape")[different.index(True)], found]
    return None


def drawn_entries(draw: Draw) -> dict[str, Tensor]:
    """Of every kind that a model has: 0-d, integers, bools, halves, one with a nan and a zero in it, one of nans."""
    special = draw.normal(5)
    special[draw.integer(0, 1)], special[draw.integer(2, 4)] = float("nan"), 0.0
    return {
        "weight": draw.normal(3, draw.integer(2, 5)),
        "halves": draw.normal(draw.integer(2, 6)).bfloat16(),
        "count": torch.tensor(draw.integer(1, 1000)),
        "seed": draw.integers(2, low=2**60, high=2**62),
        "mask": draw.integers(4, high=2).bool(),
        "special": special,
        "unknown": torch.full((2,), float("nan")),
        "scale": draw.normal(2, dtype=torch.float64),
        "phase": torch.complex(draw.normal(2), draw.normal(2)),
    }


def smallest_change(draw: Draw, tensor: Tensor) -> Tensor:
    """One entry is the next number of its dtype, of a complex one in its imaginary part; and a zero that it has is a
    negative zero instead."""
    changed = tensor.clone().reshape(-1)
    zeros = (changed == 0).nonzero().flatten().tolist() if tensor.is_floating_point() else []
    place = zeros[0] if zeros else draw.integer(0, len(changed) - 1)
    raw = changed[place : place + 1].view(torch.uint8)
    if zeros:
        raw[-1] ^= 0x80
    else:
        raw[len(raw) // 2 if tensor.is_complex() else 0] ^= 1
    return changed.reshape(tensor.shape)


def outputs_of(state: list, x: Tensor) -> Tensor:
    """Of the sharded network, float64."""
    x = x.double()
    for weight, bias in state:
        x = torch.tanh(x @ weight.double().T + bias.double())
    return x
