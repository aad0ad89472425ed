"""float16 on machines that have no float16 arithmetic: values are rounded to float16, sums are float32."""

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

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
