"""Audits one training step: which operation ran in which dtype, how often, and how long."""

import time
from collections.abc import Iterable
from dataclasses import dataclass
from types import ModuleType
from typing import Any

import torch
from rich import box
from rich.console import Console
from rich.table import Table
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_iter
from torch.utils.hooks import RemovableHandle

from labkit.labs.mixed_precision.training import DTYPES, Settings, Training

# These make or copy values and compute nothing with them.
MOVES = {"_to_copy", "clone", "copy_", "empty_like", "fill_", "full", "ones_like", "zero_", "zeros_like"}


@dataclass
class Operation:
    """An operation as it ran in a step.

    `part` is "model" (forward, loss, backward) or, once all gradients are there, "update" (unscaling, clipping, the
    optimizer's step). `dtypes` are the floating dtypes that it read, with an arrow to what it wrote if that differs.
    """

    part: str
    name: str
    dtypes: str
    calls: int = 0
    seconds: float = 0.0


def audit_step(lab: ModuleType, settings: Settings, device: str = "cpu") -> list[Operation]:
    """The operations of one training step, after one that warms up; the most time-consuming first.

    Views and operations without a floating-point tensor are left out.
    """
    training = Training(lab, settings, device)
    training.step()
    batch = training.next_batch()
    recorder = Recorder(device)
    hooks = recorder.watch(parameter for parameter in training.model.parameters() if parameter.requires_grad)
    with recorder:
        training.trainer.train_step(batch, training.optimizer, training.criterion)
    for hook in hooks:
        hook.remove()
    return sorted(recorder.operations.values(), key=lambda operation: -operation.seconds)


def print_audit(lab: ModuleType, settings: Settings, device: str = "cpu") -> None:
    """Prints what `audit_step` gives as a table, and which operations stayed in float32."""
    operations = audit_step(lab, settings, device)
    total = sum(operation.seconds for operation in operations)
    table = Table(box=box.MARKDOWN)
    for title in ("Operation", "Dtype", "Part"):
        table.add_column(title, overflow="fold")
    for title in ("Calls", "Time"):
        table.add_column(title, justify="right")
    for operation in operations:
        share = f"{operation.seconds / total:.1%}"
        table.add_row(operation.name, operation.dtypes, operation.part, str(operation.calls), share)
    console = Console()
    title = (
        f"One training step, model {settings.model}, --dtype {settings.dtype}, batch {settings.batch_size}, {device}"
    )
    console.print(title, markup=False, highlight=False)
    console.print(table, markup=False, highlight=False)
    for line in conclusions(operations, settings.dtype):
        console.print(line, markup=False, highlight=False)


def conclusions(operations: list[Operation], dtype: str) -> list[str]:
    """What the table says about autocast: which operations of the model stayed in float32, which ran in `dtype`."""
    half = _name(DTYPES[dtype])
    names: dict[str, list[str]] = {}
    for operation in operations:
        if operation.part == "model" and operation.name not in MOVES:
            names.setdefault(operation.dtypes, []).append(operation.name)
    if dtype == "fp32":
        return [f"Ran in {dtypes}: {', '.join(names[dtypes])}." for dtypes in names]
    if half not in names:
        return [f"No operation ran in {half}: is autocast on, and for the device that the model is on?"]
    lines = [f"Ran in {half}: {', '.join(names.pop(half))}."]
    stayed = names.pop("float32", ["nothing"])
    lines.append(f"Stayed in float32: {', '.join(stayed)}; and the update of the master weights.")
    return lines + [f"Mixed, {dtypes}: {', '.join(names[dtypes])}." for dtypes in names]


class Recorder(TorchDispatchMode):
    """Times every operation that reaches a backend, below autocast and autograd: the dtypes are those computed in.

    `part` may be set to another name while it records: the operations from then on are filed under it.
    """

    def __init__(self, device: str) -> None:
        super().__init__()
        self.device = device
        self.part = "model"
        self.operations: dict[tuple[str, str, str], Operation] = {}

    def watch(self, parameters: Iterable[Tensor]) -> list[RemovableHandle]:
        """Hooks after which `part` turns to "update" once every parameter has its gradient."""
        waiting = {id(parameter): parameter for parameter in parameters}

        def has_gradient(parameter: Tensor) -> None:
            waiting.pop(id(parameter), None)
            if not waiting:
                self.part = "update"

        return [parameter.register_post_accumulate_grad_hook(has_gradient) for parameter in list(waiting.values())]

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        start = self._now()
        result = func(*args, **(kwargs or {}))
        elapsed = self._now() - start
        dtypes = _arrow(_floating((args, kwargs)), _floating(result))
        if dtypes and not func.is_view:
            key = (self.part, func._schema.name.removeprefix("aten::"), dtypes)
            operation = self.operations.setdefault(key, Operation(*key))
            operation.calls += 1
            operation.seconds += elapsed
        return result

    def _now(self) -> float:
        if self.device == "cuda":
            torch.cuda.synchronize()
        return time.perf_counter()


def _floating(values: object) -> list[str]:
    """The names of the floating dtypes of all tensors in `values`, sorted."""
    tensors = (value for value in tree_iter(values) if isinstance(value, Tensor))
    return sorted({_name(tensor.dtype) for tensor in tensors if tensor.is_floating_point()})


def _arrow(read: list[str], written: list[str]) -> str:
    if not read or not written or written == read:
        return ", ".join(read or written)
    return f"{', '.join(read)} -> {', '.join(written)}"


def _name(dtype: torch.dtype) -> str:
    return str(dtype).removeprefix("torch.")
