"""What a training step has to do: operations of its products, and bytes that its operators read and write."""

from collections.abc import Callable, Iterator
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_iter
from torch.utils.flop_counter import FlopCounterMode

from labkit.labs.mixed_precision.steps import Workload

aten = torch.ops.aten
_RESERVE = {aten.empty, aten.empty_like, aten.empty_strided, aten.new_empty, aten.new_empty_strided}
_VIEWS = {aten._unsafe_view, aten.lift_fresh}  # their schemas do not say so
_ONLY_WRITE = {aten.copy_, aten.fill_, aten.zero_, aten._foreach_zero_}
_LOOK_UP = {aten.embedding}  # reads the rows that it returns, and no others


def flops_of_a_sample(workload: Workload, model: nn.Module, device: str) -> int:
    """Multiplications and additions of the products of a step, forward and backward, for one sample.

    Attention counts as the plain products that it stands for: whole, although a causal mask hides half of it, and
    without what a fused kernel computes a second time.
    """
    inputs, targets = workload.batch(2, device)
    with FlopCounterMode(display=False) as counter, sdpa_kernel(SDPBackend.MATH):
        workload.criterion(model(inputs), targets).backward()
    model.zero_grad()
    return counter.get_total_flops() // 2


def bytes_moved(step: Callable[[], object]) -> int:
    """Bytes that the operators of one call of `step` read and write, if no cache keeps anything between two of them."""
    with _Traffic() as traffic:
        step()
    return traffic.bytes


class _Traffic(TorchDispatchMode):
    """Adds up what each operator reads and writes. Views move nothing; what a kernel needs within itself is unseen."""

    def __init__(self) -> None:
        super().__init__()
        self.bytes = 0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        results = func(*args, **kwargs)
        kind, schema = func.overloadpacket, func._schema
        aliases = [one.alias_info for one in schema.returns]
        if kind in _RESERVE or kind in _VIEWS or any(alias and not alias.is_write for alias in aliases):
            return results
        given = dict(zip((one.name for one in schema.arguments), args, strict=False)) | kwargs
        changed = [given.get(one.name) for one in schema.arguments if one.alias_info and one.alias_info.is_write]
        made = [] if any(aliases) else results
        written = sum(map(_size, _tensors((changed, made))))
        if kind in _LOOK_UP:
            read = written + _size(given["indices"])
        else:
            unread = {id(tensor) for tensor in _tensors(changed)} if kind in _ONLY_WRITE else set()
            read = sum(_size(tensor) for tensor in _tensors(list(given.values())) if id(tensor) not in unread)
        self.bytes += read + written
        return results


def _tensors(values: object) -> Iterator[Tensor]:
    return (value for value in tree_iter(values) if isinstance(value, Tensor))


def _size(tensor: Tensor) -> int:
    """An expanded tensor has more elements than numbers in memory."""
    return min(tensor.numel() * tensor.element_size(), tensor.untyped_storage().nbytes())
