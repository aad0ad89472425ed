"""Models of every structure that a sharded model meets, made of square layers: tied, repeated, frozen, contained."""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint, set_checkpoint_early_stop

from scenarios.sharded.common import Layer
from scenarios.sharded.common import by_columns as in_columns

CONTAINERS: dict[str, Callable[[list[nn.Module]], nn.Module]] = {
    "list": nn.ModuleList,
    "dict": lambda modules: nn.ModuleDict({f"part{index}": module for index, module in enumerate(modules)}),
    "list in dict": lambda modules: nn.ModuleDict(
        {"first": nn.ModuleList(modules[:1]), "rest": nn.ModuleList(modules[1:])}
    ),
}


class Structure(nn.Module):
    """Parts, each a chain of layers, that run in `order` (with repetitions) behind a scale of the model's own.

    `tensors` are the values of all parameters; `parts[part][layer]` names the two that a layer has as weight and bias,
    so that layers can share them; `scale` names the one that multiplies the input, or none does. `frozen` names some.
    With `by_columns`, matrices lie in memory so. `recompute` says for each part whether its second forward pass stops
    as soon as it has what backward needs.
    """

    def __init__(
        self,
        tensors: list,
        parts: list,
        order: list,
        scale: int | None = None,
        container: str = "list",
        frozen: list | None = None,
        recompute: list | None = None,
        unused: list | None = None,
        by_columns: bool = False,
    ) -> None:
        super().__init__()
        shared = [
            nn.Parameter(
                in_columns(tensor) if by_columns and tensor.dim() > 1 else tensor.clone(),
                requires_grad=index not in (frozen or ()),
            )
            for index, tensor in enumerate(tensors)
        ]
        self.pairs = [pair for part in parts for pair in part]
        self.order, self.recompute = order, recompute
        self.scale = None if scale is None else shared[scale]
        self.scale_index, self.seen_scale = scale, None
        chains = [nn.Sequential(*(self._layer(shared, pair, unused or ()) for pair in part)) for part in parts]
        self.container = CONTAINERS[container](chains)
        self.chains = tuple(chains)  # a tuple is not searched for modules
        self.nothing = nn.Identity()

    @staticmethod
    def _layer(shared: list[nn.Parameter], pair: list, unused: Any) -> Layer:
        layer = Layer(shared[pair[0]], shared[pair[1]], last=False)
        layer.weight, layer.bias = shared[pair[0]], shared[pair[1]]
        layer.without_bias = pair[1] in unused
        return layer

    def forward(self, x: Tensor) -> Tensor:
        if self.scale is not None:
            self.seen_scale = self.scale.detach().clone()
            x = x * self.scale
        for index in self.order:
            chain = self.chains[index]
            x = chain(x) if self.recompute is None else self._recomputed(chain, x, self.recompute[index])
        return self.nothing(x)

    @staticmethod
    def _recomputed(chain: nn.Module, x: Tensor, early_stop: bool) -> Tensor:
        """Without the early stop, the second forward pass goes to the end of the chain too, past its hooks."""
        with set_checkpoint_early_stop(early_stop):
            return checkpoint(chain, x, use_reentrant=False)

    def seen(self, count: int) -> list[Tensor | None]:
        """The values that were used in the latest forward pass, in the order of `tensors`; None: it was not."""
        found: list[Tensor | None] = [None] * count
        layers = [layer for layer in self.modules() if isinstance(layer, Layer)]
        for layer, pair in zip(layers, self.pairs, strict=True):
            for index, value in zip(pair, layer.seen, strict=bool(layer.seen)):
                found[index] = value
        if self.scale_index is not None:
            found[self.scale_index] = self.seen_scale
        return found


class Mark(torch.autograd.Function):
    """Passes its input on, and calls `note` when the gradient comes back."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, note: Callable[[], None]) -> Tensor:
        ctx.note = note
        return x.clone()

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None]:
        ctx.note()
        return gradient.clone(), None


class Marked(nn.Module):
    """Members of a container, one after the other, with a `Mark` before each."""

    def __init__(self, modules: list[nn.Module], container: str, note: Callable[[], None]) -> None:
        super().__init__()
        self.members = CONTAINERS[container](modules)
        self.chain, self.note = tuple(modules), note

    def forward(self, x: Tensor) -> Tensor:
        for module in self.chain:
            x = module(Mark.apply(x, self.note))
        return x
