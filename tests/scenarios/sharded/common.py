"""What the scenarios of several steps of Lab 03 share: networks of layers that report what they compute with, and the
ways to train them on ranks."""

from collections.abc import Callable, Iterable
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.nn import functional as F
from torch.optim import Optimizer

from labkit.observe import Submission

# torch 2.11 has the old names alone.
all_gather = getattr(dist, "all_gather_single", None) or dist.all_gather_into_tensor
reduce_scatter = getattr(dist, "reduce_scatter_single", None) or dist.reduce_scatter_tensor

OPTIMIZERS: dict[str, type[Optimizer]] = {"sgd": torch.optim.SGD, "adamw": torch.optim.AdamW}


class Layer(nn.Module):
    """A linear layer, and tanh if it is not the last one. `seen` has the weight and bias of its latest forward pass,
    and `inputs` the dtype of what came in.

    `note`, if given, is called in the middle of the forward pass, where the weights are in use.
    """

    def __init__(self, weight: Tensor, bias: Tensor, last: bool, note: Callable[[], None] | None = None) -> None:
        super().__init__()
        self.weight, self.bias = nn.Parameter(weight.clone()), nn.Parameter(bias.clone())
        self.last, self.note = last, note
        self.seen: list[Tensor] = []
        self.inputs: torch.dtype | None = None
        self.without_bias = False

    def forward(self, x: Tensor) -> Tensor:
        self.inputs = x.dtype
        outputs = F.linear(x, self.weight, None if self.without_bias else self.bias)
        if self.note is not None:
            self.note()
        else:
            self.seen = [self.weight.detach().clone(), self.bias.detach().clone()]
        return outputs if self.last else torch.tanh(outputs)


def layers_of(state: list, note: Callable[[], None] | None = None) -> list[nn.Module]:
    """A `Layer` for each pair of weight and bias."""
    return [Layer(weight, bias, index == len(state) - 1, note) for index, (weight, bias) in enumerate(state)]


def network(state: list, note: Callable[[], None] | None = None) -> nn.Sequential:
    return nn.Sequential(*layers_of(state, note))


def seen_weights(model: nn.Module, x: Tensor) -> list:
    """The weights and biases with which each layer computes a forward pass without gradients."""
    with torch.no_grad():
        model(x)
    return [layer.seen for layer in model.modules() if isinstance(layer, Layer)]


def squared_error(outputs: Tensor, targets: Tensor) -> Tensor:
    """Summed, in float32."""
    return (outputs.float() - targets).square().sum()


def own(values: list) -> Any:
    """What belongs to this rank of a list of one for each."""
    return values[dist.get_rank()]


def made(
    lab: Submission, way: str, model: nn.Module, optimizer: str, settings: dict, options: dict
) -> tuple[nn.Module, Any]:
    """The model and its optimizer, by a `way` to train on ranks: "zero1", "sharded" or "fsdp2"."""
    if way == "zero1":
        return model, lab.ShardedOptimizer(model.parameters(), OPTIMIZERS[optimizer], **settings)
    if way == "sharded":
        model = lab.ShardedModel(model, **options)
        return model, OPTIMIZERS[optimizer](model.shards(), **settings)
    model = lab.fsdp2(model, **({"param_dtype": None} | options))
    return model, OPTIMIZERS[optimizer](model.parameters(), **settings)


def train(
    lab: Submission,
    way: str,
    states: list,
    steps: list,
    optimizer: str,
    settings: dict,
    options: dict | None = None,
) -> list:
    """Trains the network `states[rank]` on the micro-batches `steps[step][rank]`, each an input and a target.

    What comes back for each step: the weights with which the next forward pass computes.
    """
    model, optimizing = made(lab, way, network(own(states)), optimizer, settings, options or {})
    weights = []
    for ranks in steps:
        for x, y in own(ranks):
            squared_error(model(x), y).backward()
        optimizing.step()
        optimizing.zero_grad()
        weights.append(seen_weights(model, own(ranks)[0][0]))
    return weights


def by_columns(matrix: Tensor) -> Tensor:
    """A copy that lies in memory column by column, so that it is not contiguous."""
    return matrix.mT.clone(memory_format=torch.contiguous_format).mT


def values(tensors: Iterable[Tensor]) -> list[Tensor]:
    """Copies without a graph."""
    return [tensor.detach().clone() for tensor in tensors]
