"""What each storage of a training step is for, from the step's first operation to its last."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from labkit.toolbox.measure import StorageCounter

PHASES = ("forward", "backward", "update")
PARTS = (
    "weights",
    "optimizer state",
    "gradients",
    "16-bit copies of weights",
    "activations, saved for backward",
    "batch, temporary results",
)
WEIGHTS, STATE, GRADIENTS, COPIES, ACTIVATIONS, TEMPORARY = PARTS


@dataclass
class Life:
    """A storage: its bytes, what it is for, and the operations from `born` up to but not including `died`."""

    size: int
    part: str
    born: int
    died: int | None = None


class Timeline(StorageCounter):
    """Also keeps when each storage lived and what it was for; a storage is what it turns out to be, all its life."""

    def __init__(self, weights: Iterable[nn.Parameter], state: Iterable[Tensor]) -> None:
        """`weights` are the model's parameters, `state` what the optimizer keeps from step to step."""
        super().__init__("cpu")
        self.lives: list[Life] = []
        self.phases: list[str] = []  # of each operation
        self.phase = PHASES[0]
        self._life: dict[int, Life] = {}
        self._known = {_key(tensor): STATE for tensor in state}  # storages from before the step
        self._watch(weights)

    def _watch(self, weights: Iterable[nn.Parameter]) -> None:
        waiting = set()
        for parameter in weights:
            self._known[_key(parameter)] = WEIGHTS
            waiting.add(id(parameter))

            def has_gradient(parameter: Tensor) -> None:
                assert parameter.grad is not None, "the hook comes after the gradient"
                self._life[_key(parameter.grad)].part = GRADIENTS
                waiting.discard(id(parameter))
                if not waiting:
                    self.phase = "update"

            parameter.register_post_accumulate_grad_hook(has_gradient)

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        result = super().__torch_dispatch__(func, types, args, kwargs)
        if func is torch.ops.aten._to_copy.default and self._life[_key(args[0])].part == WEIGHTS:
            self._life[_key(result)].part = COPIES
        self.phases.append(self.phase)
        return result

    def appeared(self, key: int, size: int, made_here: bool) -> None:
        part = TEMPORARY if made_here else self._known.get(key, TEMPORARY)
        self._life[key] = Life(size, part, born=len(self.phases) if made_here else 0)
        self.lives.append(self._life[key])

    def vanished(self, key: int) -> None:
        self._life.pop(key).died = len(self.phases)

    def saved(self, key: int) -> None:
        if self._life[key].part == TEMPORARY:
            self._life[key].part = ACTIVATIONS

    def saved_tensors(self) -> torch.autograd.graph.saved_tensors_hooks:
        """As the counter's; the first tensor that autograd asks back begins the backward phase."""
        return torch.autograd.graph.saved_tensors_hooks(self._count_saved, self._hand_back)

    def _hand_back(self, tensor: Tensor) -> Tensor:
        if self.phase == "forward":
            self.phase = "backward"
        return tensor

    def held(self) -> dict[str, list[int]]:
        """Bytes of each part after each operation."""
        end = len(self.phases)
        change = {part: [0] * (end + 1) for part in PARTS}
        for life in self.lives:
            change[life.part][life.born] += life.size
            change[life.part][end if life.died is None else life.died] -= life.size
        held: dict[str, list[int]] = {}
        for part, changes in change.items():
            held[part], now = [], 0
            for difference in changes[:end]:
                now += difference
                held[part].append(now)
        return held


def _key(tensor: Tensor) -> int:
    return id(tensor.untyped_storage())
