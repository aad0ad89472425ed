"""What a scenario's ranks send each other: collective calls in their order, with dtype and bytes; what came first."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor
from torch.distributed import distributed_c10d
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

Call = dict[str, Any]  # a plain value: {"name": "allreduce_", "dtype": torch.float32, "bytes": 24}


class _Listener(TorchDispatchMode):
    """Sees every call on a process group when it is launched, also those made inside backward hooks on a CPU."""

    def __init__(self, calls: list[Call]) -> None:
        super().__init__()
        self.calls = calls

    def __torch_dispatch__(
        self,
        function: torch._ops.OpOverload,
        types: Sequence[type],
        args: tuple = (),
        kwargs: dict[str, Any] | None = None,
    ) -> Any:
        if function.namespace == "c10d":
            self.calls.append(_call(function, args))
        return function(*args, **(kwargs or {}))


def _call(function: torch._ops.OpOverload, args: tuple) -> Call:
    """The call as a value. Its bytes are those of the largest group of tensors that it takes: the whole of what is
    gathered or scattered, not this rank's part of it.
    """
    groups = [[leaf for leaf in tree_leaves(arg) if isinstance(leaf, Tensor)] for arg in args]
    largest = max(groups, key=_bytes, default=[])
    name = function._schema.name.removeprefix("c10d::")
    return {"name": name, "dtype": largest[0].dtype if largest else None, "bytes": _bytes(largest)}


def _bytes(tensors: list[Tensor]) -> int:
    return sum(tensor.nbytes for tensor in tensors)


@contextmanager
def traffic() -> Iterator[list[Call]]:
    """Records the calls that this rank makes on its groups inside the block: `with traffic() as calls: ...`.

    DDP adds an int32 broadcast of its own to the first, and a barrier has no bytes of its own. The block may add events
    of its own to the list, to see what came before which call.
    """
    calls: list[Call] = []
    with _Listener(calls):
        yield calls


class Flag:
    """A sign from one rank to another beside the group's calls: it tells what came first without a clock.

    All ranks make it, with the same name; it is down then.
    """

    def __init__(self, name: str) -> None:
        self._store, self._key = distributed_c10d._get_default_store(), f"labkit/{name}"
        if dist.get_rank() == 0:
            self._store.delete_key(self._key)
        dist.barrier()

    def set(self) -> None:
        self._store.set(self._key, "up")

    def wait(self, seconds: float) -> bool:
        """Whether it is up before so many seconds have passed."""
        try:
            self._store.wait([self._key], timedelta(seconds=seconds))
        except RuntimeError:
            return False
        return True
