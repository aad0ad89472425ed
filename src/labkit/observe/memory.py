"""How many bytes of tensors are alive at chosen moments of a scenario: the sum of all storages, to the byte.

A dispatch mode sees every tensor that an operation makes, in the backward pass too, and keeps a weak reference to its
storage. So it counts what only C++ holds (what is saved for backward, a `.grad` that nobody has touched), which `gc`
does not find, and it sees `resize_`, which is no operation: a storage is asked for its size when a moment is noted.
"""

import gc
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor
from torch.multiprocessing.reductions import StorageWeakRef
from torch.utils._python_dispatch import TorchDispatchMode, is_traceable_wrapper_subclass
from torch.utils._pytree import tree_leaves


class LiveBytes(TorchDispatchMode):
    """`moments` are what was noted: a name and the bytes that were alive of all that was made since the block began."""

    def __init__(self) -> None:
        super().__init__()
        self.moments: list[tuple[str, int]] = []
        self._storages: dict[int, StorageWeakRef] = {}

    def note(self, name: str, collect: bool = False) -> None:
        """`collect`: first lets Python free what only cycles hold."""
        if collect:
            gc.collect()
        self.moments.append((name, self.now()))

    def now(self) -> int:
        """The bytes that are alive."""
        return sum(self._sizes())

    def _sizes(self) -> Iterator[int]:
        for key, reference in list(self._storages.items()):
            storage = torch.UntypedStorage._new_with_weak_ptr(reference.cdata)
            if storage is None:
                del self._storages[key]
            else:
                yield storage.nbytes()

    def __torch_dispatch__(
        self,
        function: torch._ops.OpOverload,
        types: Sequence[type],
        args: tuple = (),
        kwargs: dict[str, Any] | None = None,
    ) -> Any:
        made = function(*args, **(kwargs or {}))
        for value in tree_leaves(made):
            self._follow(value)
        return made

    def _follow(self, tensor: object) -> None:
        if not isinstance(tensor, Tensor):
            return
        if is_traceable_wrapper_subclass(tensor):  # a DTensor has no bytes of its own
            for name in tensor.__tensor_flatten__()[0]:
                self._follow(getattr(tensor, name))
        elif tensor.layout == torch.strided and not tensor.is_meta:
            reference = StorageWeakRef(tensor.untyped_storage())
            self._storages[reference.cdata] = reference


@contextmanager
def live_bytes() -> Iterator[LiveBytes]:
    """`with live_bytes() as live: ...; live.note("after forward")`; afterwards `live.moments`."""
    gc.freeze()  # what is there already does not count, and is most of what a collection would look at
    try:
        with LiveBytes() as live:
            yield live
    finally:
        gc.unfreeze()
