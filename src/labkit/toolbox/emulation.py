"""16 bits on machines that have no such arithmetic: values are rounded to 16 bits, sums are float32."""

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_map

from labkit.toolbox.models import DeepSigmoid


class _RoundToHalf(torch.autograd.Function):
    """Rounds values on the way forward, and their gradients on the way back, to float16 (above 65504 to inf)."""

    @staticmethod
    def forward(context: Any, values: Tensor) -> Tensor:
        return values.half().float()

    @staticmethod
    def backward(context: Any, gradient: Tensor) -> Tensor:
        return gradient.half().float()


class EmulatedHalf(nn.Module):
    """`model` as float16 autocast computes it, to be trained with dtype float32: (N, input_dim) -> (N, output_dim).

    Inputs, weights, activations and all their gradients are rounded to float16; the parameters are the model's own,
    float32. Sums inside a matrix product are float32, as in float16 hardware.
    """

    def __init__(self, model: DeepSigmoid) -> None:
        super().__init__()
        self.model = model

    def forward(self, inputs: Tensor) -> Tensor:
        rounded = _RoundToHalf.apply
        hidden = rounded(inputs)
        for layer in self.model:
            if isinstance(layer, nn.Linear):
                hidden = rounded(F.linear(hidden, rounded(layer.weight), rounded(layer.bias)))
            else:
                hidden = rounded(layer(hidden))
        return hidden


class RoundedProducts(TorchDispatchMode):
    """While it lasts, float32 instructions compute the products of 16-bit numbers, and round each result to 16 bits.

    Hardware with instructions for the format does the same: it adds the products up in float32, and rounds once. A CPU
    without them takes PyTorch ten times as long. Autocast, autograd and all other operations are as they always are.
    """

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        if func not in PRODUCTS:
            return func(*args, **kwargs)
        halves = {one.dtype for one in args if isinstance(one, Tensor)}
        if halves not in ({torch.float16}, {torch.bfloat16}):
            return func(*args, **kwargs)
        (half,) = halves
        result = func(*(one.float() if isinstance(one, Tensor) else one for one in args), **kwargs)
        return tree_map(lambda one: one.to(half) if isinstance(one, Tensor) else one, result)


_aten = torch.ops.aten
PRODUCTS = {
    one.default
    for one in (_aten.mm, _aten.addmm, _aten.bmm, _aten.baddbmm, _aten.convolution, _aten.convolution_backward)
}
