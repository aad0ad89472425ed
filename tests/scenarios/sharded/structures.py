"""Models of every structure that a sharded model meets, made of square layers: tied, repeated, frozen, contained."""

from collections.abc import Callable
from typing import Any

from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint, set_checkpoint_early_stop

from scenarios.sharded.common import Layer

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
    """

    def __init__(
        self,
        tensors: list,
        parts: list,
        order: list,
        scale: int | None = None,
        container: str = "list",
        frozen: list | None = None,
        recompute: bool = False,
        unused: list | None = None,
    ) -> None:
        super().__init__()
        shared = [
            nn.Parameter(tensor.clone(), requires_grad=index not in (frozen or ()))
            for index, tensor in enumerate(tensors)
        ]
        self.pairs = [pair for part in parts for pair in part]
        self.order, self.recompute = order, recompute
        self.scale = None if scale is None else shared[scale]
        self.scale_index, self.seen_scale = scale, None
        chains = [nn.Sequential(*(self._layer(shared, pair, unused or ()) for pair in part)) for part in parts]
        self.container = CONTAINERS[container](chains)
        self.chains = tuple(chains)  # a tuple is not searched for modules

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
            x = self._recomputed(chain, x) if self.recompute else chain(x)
        return x

    @staticmethod
    def _recomputed(chain: nn.Module, x: Tensor) -> Tensor:
        """Without the early stop, the second forward pass goes to the end of the chain too, past its hooks."""
        with set_checkpoint_early_stop(False):
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
