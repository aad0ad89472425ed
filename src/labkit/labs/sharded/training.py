"""The training job: ranks learn digits by what the lab shards, by FSDP2 and by DDP, from the same weights and batches.

Only who holds what, what is sent and in which format differs between them. DDP, which shards nothing, comes first: the
others are compared with it.
"""

import itertools
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from types import ModuleType
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.parallel import DistributedDataParallel
from torch.utils.data import TensorDataset

from labkit.toolbox.datasets import accuracy, digits_split
from labkit.toolbox.posing import posing_as_one_of
from labkit.toolbox.recorder import Step, quickest, record

DDP = "DDP"
ZERO1 = "your ZeRO 1"  # ShardedOptimizer
HAND, HAND_BF16 = "your ZeRO 3", "your ZeRO 3, bf16"  # ShardedModel
FSDP2, FSDP2_BF16 = "FSDP2", "FSDP2, bf16"
WAYS = (DDP, ZERO1, HAND, HAND_BF16, FSDP2, FSDP2_BF16)
WIDTHS = (64, 512, 512, 512, 10)
LEARNING_RATE = 1e-3
SAMPLES = 8  # of a rank that is posed as; bytes and calls do not depend on it

Batch = tuple[Tensor, Tensor]


@dataclass(frozen=True)
class Settings:
    """`batch_size` counts the samples of all ranks together."""

    steps: int = 60
    batch_size: int = 64
    seed: int = 0


@dataclass(frozen=True)
class Way:
    """A model as its ranks train it; `whole_state` gives the state of the plain network, on every rank."""

    model: nn.Module
    optimizer: Any
    whole_state: Callable[[], dict[str, Tensor]]


@dataclass(frozen=True)
class Run:
    """One training.

    Attributes:
        apart: the distance of its weights from DDP's, relative to these.
        seconds: of a step of the training, on average.
        recorded: one more step, for each rank.
    """

    accuracy: float
    apart: float
    seconds: float
    recorded: list[Step]


def network() -> nn.Sequential:
    """64-512-512-512-10 with ReLU: (N, 64) -> (N, 10) logits. Each of its linear layers is a unit."""
    pairs = itertools.pairwise(WIDTHS)
    layers = [layer for pair in pairs for layer in (nn.Linear(*pair), nn.ReLU())]
    return nn.Sequential(*layers[:-1])


PARAMETERS = sum(parameter.numel() for parameter in network().parameters())


def made(lab: ModuleType, way: str, seed: int) -> Way:
    """A new network, to be trained in this way; all ranks of the group call it."""
    torch.manual_seed(seed)
    plain = network()
    half = torch.bfloat16 if way in (HAND_BF16, FSDP2_BF16) else None
    if way == DDP:
        return Way(DistributedDataParallel(plain), _adamw(plain.parameters()), plain.state_dict)
    if way == ZERO1:
        optimizer = lab.ShardedOptimizer(plain.parameters(), torch.optim.AdamW, lr=LEARNING_RATE)
        return Way(plain, optimizer, plain.state_dict)
    if way in (HAND, HAND_BF16):
        sharded = lab.ShardedModel(plain, param_dtype=half)
        return Way(sharded, _adamw(sharded.shards()), sharded.full_state_dict)
    model = lab.fsdp2(plain, half)
    return Way(model, _adamw(model.parameters()), lambda: lab.full_state(model))


def _adamw(parameters: Any) -> torch.optim.AdamW:
    return torch.optim.AdamW(parameters, lr=LEARNING_RATE)


def beside_fsdp2(
    lab: ModuleType, settings: Settings, after_step: Callable[[], object] = lambda: None
) -> dict[str, Run]:
    """Every training; all ranks of the group call it. `after_step` is called `total_steps(settings)` times."""
    train_set, test_set = digits_split()
    ways = {name: made(lab, name, settings.seed) for name in WAYS}  # a step that is not yet solved shows at once
    runs: dict[str, Run] = {}
    reference: Tensor | None = None
    for name, way in ways.items():
        batches = shares(train_set, settings)
        step = one_step(way, next(batches))
        start = time.perf_counter()
        for _ in range(settings.steps):
            one_step(way, next(batches))()
            after_step()
        seconds = (time.perf_counter() - start) / settings.steps
        plain = network()
        plain.load_state_dict(way.whole_state())
        weights = nn.utils.parameters_to_vector(plain.parameters()).detach()
        reference = weights if reference is None else reference
        runs[name] = Run(
            _accuracy(plain, test_set),
            ((weights - reference).norm() / reference.norm()).item(),
            seconds,
            quickest(record(step, count=3)),
        )
    return runs


def total_steps(settings: Settings) -> int:
    return settings.steps * len(WAYS)


def shares(data: TensorDataset, settings: Settings) -> Iterator[Batch]:
    """This rank's part of each batch, without end; all parts together are the batches of one process."""
    rank, size = dist.get_rank(), settings.batch_size // dist.get_world_size()
    for epoch in itertools.count():
        order = torch.randperm(len(data), generator=torch.Generator().manual_seed(settings.seed + epoch))
        for batch in order.split(settings.batch_size):
            if len(batch) == settings.batch_size:
                yield data[batch[rank * size : (rank + 1) * size]]


def one_step(way: Way, batch: Batch) -> Callable[..., None]:
    """A training step on `batch`; what it is called with is told the name of each phase at its end."""
    images, labels = batch

    def step(ended: Callable[[str], None] = lambda phase: None) -> None:
        way.optimizer.zero_grad()
        loss = F.cross_entropy(way.model(images).float(), labels)
        ended("forward")
        loss.backward()
        ended("backward")
        way.optimizer.step()
        ended("update")

    return step


def recorded_step(lab: ModuleType, name: str, samples: int, count: int = 1) -> list[Step]:
    """Steps of this way without a training before them, on a batch of noise."""
    batch = torch.rand(samples, WIDTHS[0]), torch.randint(WIDTHS[-1], (samples,))
    return record(one_step(made(lab, name, seed=0), batch), count)


def step_of_one_rank(lab: ModuleType, name: str, ranks: int) -> Step:
    """The step that a rank of so many makes in this way, computed on one process; its times mean nothing."""
    with posing_as_one_of(ranks):
        (step,) = recorded_step(lab, name, SAMPLES)
        return step


def _accuracy(model: nn.Module, data: TensorDataset) -> float:
    images, labels = data.tensors
    with torch.no_grad():
        return accuracy(model(images), labels)
