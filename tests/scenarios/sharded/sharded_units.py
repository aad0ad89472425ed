"""A sharded network in a few lines, some of whose units do not free what they have gathered."""

from collections.abc import Sequence
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor, nn

from scenarios.sharded.common import all_gather


class Kept:
    """A parameter of which each rank holds a shard, and whose memory comes and goes."""

    def __init__(self, parameter: nn.Parameter) -> None:
        self.parameter, ranks = parameter, dist.get_world_size()
        size = -(-parameter.numel() // ranks)
        padded = torch.zeros(size * ranks)
        padded[: parameter.numel()] = parameter.detach().reshape(-1)
        self.shard = padded[dist.get_rank() * size :][:size].clone()
        self.whole = torch.zeros(size * ranks)
        self.bytes = self.whole.untyped_storage().nbytes()
        parameter.data = self.whole[: parameter.numel()].view(parameter.shape)
        self.free()

    def gather(self) -> None:
        if not self.whole.untyped_storage().nbytes():
            self.whole.untyped_storage().resize_(self.bytes)
            all_gather(self.whole, self.shard)

    def free(self) -> None:
        self.whole.untyped_storage().resize_(0)


class ShardedUnit:
    """Hooks on `module` that gather its parameters before its passes and free them after.

    `kept_forward` and `kept_backward` are indices of parameters that are not freed after that pass; of several forward
    passes in a step, after the one with the index `run`.
    """

    def __init__(
        self, module: nn.Module, kept_forward: Sequence[int], kept_backward: Sequence[int], run: int = 0
    ) -> None:
        self.parameters = [Kept(parameter) for parameter in module.parameters()]
        self.kept_forward, self.kept_backward = kept_forward, kept_backward
        self.run, self.runs, self.missing = run, 0, 0
        module.register_forward_pre_hook(lambda *_: self.gather())
        module.register_forward_hook(self.after_forward)
        for one in self.parameters:
            one.parameter.register_post_accumulate_grad_hook(self.has_gradient)

    def gather(self) -> None:
        for one in self.parameters:
            one.gather()

    def free_but(self, kept: Sequence[int]) -> None:
        for index, one in enumerate(self.parameters):
            if index not in kept:
                one.free()

    def after_forward(self, module: nn.Module, args: tuple, output: Tensor) -> None:
        self.free_but(self.kept_forward if self.runs == self.run else [])
        self.runs += 1
        output.register_hook(self.before_backward)

    def before_backward(self, gradient: Tensor) -> None:
        self.gather()
        self.missing = len(self.parameters)

    def has_gradient(self, parameter: nn.Parameter) -> None:
        self.missing -= 1
        if not self.missing:
            self.free_but(self.kept_backward)
            self.runs = 0


class Twice(nn.Module):
    """A network whose units run in `order`, so that some run again."""

    def __init__(self, units: list[nn.Module], order: list[int]) -> None:
        super().__init__()
        self.units, self.order = nn.ModuleList(units), order

    def forward(self, x: Tensor) -> Any:
        for index in self.order:
            x = torch.tanh(self.units[index](x))
        return x
