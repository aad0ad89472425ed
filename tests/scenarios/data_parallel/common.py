"""What the scenarios of several steps of Lab 02 share: models whose gradients a test chooses, and what is read off."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch
import torch.distributed as dist
from torch import Tensor, nn


class Layer(nn.Module):
    """One parameter."""

    def __init__(self, weight: nn.Parameter) -> None:
        super().__init__()
        self.weight = weight


class Holder(nn.Module):
    """A layer for each of `values`, and one more for each of `tied`, which has the parameter of that layer.

    Layers in `frozen` do not train; every other buffer is left out of the state dict. With `turned`, the numbers of
    every matrix lie column by column, and none of them is contiguous.
    """

    def __init__(
        self,
        values: list,
        frozen: tuple = (),
        tied: tuple = (),
        buffers: list | tuple = (),
        turned: bool = False,
    ) -> None:
        super().__init__()
        copied = column_by_column if turned else Tensor.clone
        weights = [nn.Parameter(copied(value), requires_grad=i not in frozen) for i, value in enumerate(values)]
        self.layers = nn.ModuleList(map(Layer, weights))
        self.again = nn.ModuleList(Layer(weights[i]) for i in tied)
        for i, buffer in enumerate(buffers):
            self.register_buffer(f"buffer{i}", copied(buffer), persistent=i % 2 == 0)

    def forward(self, coefficients: list) -> Tensor:
        """A loss whose gradient by the weight of each layer is its coefficient; None leaves the layer out."""
        pairs = zip([*self.layers, *self.again], coefficients, strict=True)
        return torch.stack([(one.weight * by).sum().double() for one, by in pairs if by is not None]).sum()


def column_by_column(tensor: Tensor) -> Tensor:
    return tensor.mT.contiguous().mT if tensor.dim() > 1 else tensor.clone()


def gradients(model: nn.Module) -> list:
    """Copies of the gradients as they are now; of a parameter that trains, None counts as zeros."""
    return [_gradient(one) for one in model.parameters()]


def _gradient(parameter: nn.Parameter) -> Tensor | None:
    if parameter.grad is not None:
        return parameter.grad.clone()
    return torch.zeros_like(parameter) if parameter.requires_grad else None


def give_gradients(model: Holder, gradients: list) -> None:
    for layer, gradient in zip(model.layers, gradients, strict=True):
        layer.weight.grad = None if gradient is None else torch.empty_like(layer.weight).copy_(gradient)


def tensors(model: nn.Module) -> list[Tensor]:
    return [*model.parameters(), *model.buffers()]


def places(model: nn.Module) -> list[tuple]:
    """Which objects the parameters and buffers are, and where their numbers lie."""
    return [(id(one), one.data_ptr(), one.stride()) for one in tensors(model)]


def weights(model: nn.Module) -> list[Tensor]:
    return [one.detach().clone() for one in model.parameters()]


@contextmanager
def group_of_one() -> Iterator[None]:
    """A group that has this process alone."""
    dist.init_process_group("gloo", store=dist.HashStore(), rank=0, world_size=1)
    try:
        yield
    finally:
        dist.destroy_process_group()
