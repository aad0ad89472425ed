"""How many bytes of tensors are alive at chosen moments of a scenario: the sum of all storages, to the byte.

PyTorch's profiler reports every allocation of the CPU, with its sign. So storages count that Python never sees (saved
for backward, a `.grad` that nobody has touched), and `resize_` counts too. `gc` finds neither of the first two.
"""

import gc
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from torch.profiler import ProfilerActivity, profile, record_function

Moment = dict[str, Any]  # a plain value: {"name": "after forward", "bytes": 640, "most": 1024}

_ALLOCATION, _MARK = "[memory]", "labkit moment: "


@contextmanager
def live_bytes() -> Iterator[tuple[Callable[..., None], list[Moment]]]:
    """`with live_bytes() as (note, moments): ...; note("after forward"); ...`.

    After the block, `moments` has for each note, in their order: `bytes`, what was alive then of all that was allocated
    since the block began, and `most`, the most that was alive since the note before. `note(name, collect=True)` first
    lets Python free what only cycles hold.
    """
    moments: list[Moment] = []

    def note(name: str, collect: bool = False) -> None:
        if collect:
            gc.collect()
        with record_function(_MARK + name):
            pass

    gc.collect()
    with profile(activities=[ProfilerActivity.CPU], profile_memory=True) as profiler:
        yield note, moments
    moments += _moments(profiler)


def _moments(profiler: profile) -> list[Moment]:
    results = profiler.profiler.kineto_results  # type: ignore[union-attr]  # the public tables have sums for each operator
    events = sorted((event.start_ns(), event.name(), event.nbytes()) for event in results.events()
                    if event.name() == _ALLOCATION or event.name().startswith(_MARK))  # fmt: skip
    alive, most, moments = 0, 0, []
    for _, name, size in events:
        if name == _ALLOCATION:
            alive += size
            most = max(most, alive)
        else:
            moments.append({"name": name.removeprefix(_MARK), "bytes": alive, "most": most})
            most = alive
    return moments
