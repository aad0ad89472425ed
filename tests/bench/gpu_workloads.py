"""The course's transformer and MLP at sizes that fill a GPU of 80 GB in float32."""

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor, nn

from labkit.labs.mixed_precision.compare import TokenCrossEntropy
from labkit.toolbox.models import SmallTransformer


@dataclass(frozen=True)
class Transformer:
    """The course's transformer; in fp32 a step of these sizes holds some 52 GiB, nearly all of it activations."""

    dim: int = 1024
    layers: int = 12
    heads: int = 8
    length: int = 1024
    vocabulary: int = 256
    batch_size: int = 64
    unit: ClassVar[str] = "tokens"
    # Under autocast the sums between the blocks stay float32, and layer norms save them: of a token and a unit of
    # width a block saves 36 bytes instead of 64. That alone is 56 %, and the weights do not shrink.
    memory_limit: ClassVar[float] = 60.0

    @property
    def name(self) -> str:
        return f"transformer ({self.layers} layers, {self.dim} wide)"

    def model(self) -> nn.Module:
        return SmallTransformer(self.vocabulary, self.dim, self.layers, self.heads, self.length)

    def criterion(self) -> nn.Module:
        return TokenCrossEntropy()

    def batch(self, size: int, device: str) -> tuple[Tensor, Tensor]:
        tokens = torch.randint(self.vocabulary, (2, size, self.length), device=device)
        return tokens[0], tokens[1]


@dataclass(frozen=True)
class MLP:
    """The course's wide MLP of Linear and GELU, wider and deeper; in fp32 a step holds some 36 GiB."""

    width: int = 4096
    layers: int = 8
    inputs: int = 784
    classes: int = 10
    batch_size: int = 131072
    unit: ClassVar[str] = "samples"
    memory_limit: ClassVar[float] = 55.0  # all saved activations halve, nine tenths of the peak

    @property
    def name(self) -> str:
        return f"wide MLP ({self.layers} hidden layers, {self.width} wide)"

    def model(self) -> nn.Module:
        layers: list[nn.Module] = [nn.Linear(self.inputs, self.width), nn.GELU()]
        for _ in range(self.layers - 1):
            layers += [nn.Linear(self.width, self.width), nn.GELU()]
        return nn.Sequential(*layers, nn.Linear(self.width, self.classes))

    def criterion(self) -> nn.Module:
        return nn.CrossEntropyLoss()

    def batch(self, size: int, device: str) -> tuple[Tensor, Tensor]:
        return torch.randn(size, self.inputs, device=device), torch.randint(self.classes, (size,), device=device)


Workload = Transformer | MLP
