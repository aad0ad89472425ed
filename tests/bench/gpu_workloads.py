"""The course's transformer and MLP at sizes that fill a GPU of 80 GB in float32."""

from dataclasses import dataclass

from torch import nn

from labkit.labs.mixed_precision.steps import TokenCrossEntropy, Workload, tokens, vectors
from labkit.toolbox.models import SmallTransformer


@dataclass(frozen=True)
class Filling(Workload):
    """A workload whose peak of memory in 16 bits may be `memory_limit` percent of fp32's."""

    memory_limit: float


def transformer(
    dim: int = 1024, layers: int = 12, heads: int = 8, length: int = 1024, vocabulary: int = 256, batch_size: int = 64
) -> Filling:
    """The course's transformer; in fp32 a step of these sizes holds some 52 GiB, nearly all of it activations."""
    return Filling(
        name=f"transformer ({layers} layers, {dim} wide)",
        model=lambda: SmallTransformer(vocabulary, dim, layers, heads, length),
        criterion=TokenCrossEntropy(),
        batch=tokens(vocabulary, length),
        batch_size=batch_size,
        samples="tokens",
        # Under autocast the sums between the blocks stay float32, and layer norms save them: of a token and a unit of
        # width a block saves 36 bytes instead of 64. That alone is 56 %, and the weights do not shrink.
        memory_limit=60.0,
    )


def mlp(width: int = 4096, layers: int = 8, inputs: int = 784, classes: int = 10, batch_size: int = 131072) -> Filling:
    """The course's wide MLP of Linear and GELU, wider and deeper; in fp32 a step holds some 36 GiB."""

    def model() -> nn.Module:
        blocks: list[nn.Module] = [nn.Linear(inputs, width), nn.GELU()]
        for _ in range(layers - 1):
            blocks += [nn.Linear(width, width), nn.GELU()]
        return nn.Sequential(*blocks, nn.Linear(width, classes))

    return Filling(
        name=f"wide MLP ({layers} hidden layers, {width} wide)",
        model=model,
        criterion=nn.CrossEntropyLoss(),
        batch=vectors(inputs, classes),
        batch_size=batch_size,
        samples="samples",
        memory_limit=55.0,  # all saved activations halve, nine tenths of the peak
    )
