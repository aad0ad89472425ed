"""The training job: ranks learn digits by the lab's DataParallel and by torch's DDP, with two formats on the wire.

All trainings have the same first weights and the same batches, and one more is that of a single process with the whole
batches. So what differs between them is who computes and what is sent.
"""

import itertools
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from types import ModuleType

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.nn import functional as F
from torch.utils.data import TensorDataset

from labkit.toolbox.datasets import accuracy, digits_split
from labkit.toolbox.posing import posing_as_one_of
from labkit.toolbox.recorder import Step, quickest, record

ONE = "one process"
HAND, HAND_BF16 = "your DataParallel", "your DataParallel, bf16"
DDP, DDP_BF16 = "torch's DDP", "torch's DDP, bf16"
WAYS = (HAND, HAND_BF16, DDP, DDP_BF16)
WIDTHS = (64, 512, 512, 512, 10)
CAP = 2**19  # bytes of a bucket: small enough that this network has several
LEARNING_RATE = 0.05
MOMENTUM = 0.9
SAMPLES = 8  # of a rank that is posed as; bytes and calls do not depend on it

Batch = tuple[Tensor, Tensor]


@dataclass(frozen=True)
class Settings:
    """`batch_size` counts the samples of all ranks together."""

    steps: int = 60
    batch_size: int = 64
    seed: int = 0


@dataclass(frozen=True)
class Run:
    """One training, as rank 0 has it.

    Attributes:
        apart: the distance of its weights from those of one process, relative to the weights.
        drift: the largest difference of a weight between two ranks.
        seconds: of a step of the training, on average.
        recorded: one more step, for each rank; none for one process.
    """

    accuracy: float
    apart: float
    drift: float
    seconds: float
    recorded: list[Step]


def network() -> nn.Sequential:
    """64-512-512-512-10 with ReLU: (N, 64) -> (N, 10) logits."""
    pairs = itertools.pairwise(WIDTHS)
    layers = [layer for pair in pairs for layer in (nn.Linear(*pair), nn.ReLU())]
    return nn.Sequential(*layers[:-1])


PARAMETERS = sum(parameter.numel() for parameter in network().parameters())


def wrapped(lab: ModuleType, way: str, seed: int) -> nn.Module:
    """A new network in the wrapper of this way; all ranks of the group call it."""
    torch.manual_seed(seed)
    model = network()
    if way in (DDP, DDP_BF16):
        return lab.wrap_ddp(model, compress=way == DDP_BF16, bucket_cap_mb=CAP / 2**20)
    return lab.DataParallel(model, CAP, torch.bfloat16 if way == HAND_BF16 else None)


def optimizer_of(model: nn.Module) -> torch.optim.Optimizer:
    return torch.optim.SGD(model.parameters(), lr=LEARNING_RATE, momentum=MOMENTUM)


def beside_ddp(lab: ModuleType, settings: Settings, after_step: Callable[[], object] = lambda: None) -> dict[str, Run]:
    """Every training; all ranks of the group call it. `after_step` is called `total_steps(settings)` times."""
    rank, ranks = dist.get_rank(), dist.get_world_size()
    models = {way: wrapped(lab, way, settings.seed) for way in WAYS}  # a step that is not yet solved shows at once
    train_set, test_set = digits_split()
    runs = {}
    whole = _train_alone(lab, train_set, settings, after_step)
    runs[ONE] = Run(_accuracy(whole.model, test_set), 0.0, 0.0, whole.seconds, [])
    for way, model in models.items():
        optimizer, batches = optimizer_of(model), shard(lab, train_set, settings, rank, ranks)
        start = time.perf_counter()
        for _ in range(settings.steps):
            lab.train_step(model, next(batches), optimizer, F.cross_entropy)
            after_step()
        seconds = (time.perf_counter() - start) / settings.steps
        weights = _weights(model)
        runs[way] = Run(
            _accuracy(model.get_submodule("module"), test_set),
            ((weights - _weights(whole.model)).norm() / weights.norm()).item(),
            _drift(weights),
            seconds,
            quickest(recorded_steps(model, next(batches), optimizer)),
        )
    return runs


def total_steps(settings: Settings) -> int:
    return settings.steps * (1 + len(WAYS))


def shard(lab: ModuleType, data: TensorDataset, settings: Settings, rank: int, ranks: int) -> Iterator[Batch]:
    """The batches of one rank, without end; those of all ranks together are the batches of one process."""
    sampler = lab.ShardSampler(len(data), rank, ranks, seed=settings.seed, drop_last=True)
    size = settings.batch_size // ranks
    for epoch in itertools.count():
        sampler.set_epoch(epoch)
        order = list(sampler)
        for start in range(0, len(order) - size + 1, size):
            yield data[order[start : start + size]]


def recorded_steps(model: nn.Module, batch: Batch, optimizer: torch.optim.Optimizer, count: int = 10) -> list[Step]:
    """Plain steps, recorded."""
    images, labels = batch

    def step(ended: Callable[[str], None]) -> None:
        optimizer.zero_grad()
        loss = F.cross_entropy(model(images), labels)
        ended("forward")
        loss.backward()
        ended("backward")
        optimizer.step()
        ended("update")

    return record(step, count)


def step_of_one_rank(lab: ModuleType, way: str, ranks: int) -> Step:
    """The step that a rank of so many makes in this way, computed on one process; its times mean nothing."""
    batch = torch.rand(SAMPLES, WIDTHS[0]), torch.randint(WIDTHS[-1], (SAMPLES,))
    with posing_as_one_of(ranks):
        model = wrapped(lab, way, seed=0)
        (step,) = recorded_steps(model, batch, optimizer_of(model), count=1)
        return step


@dataclass(frozen=True)
class _Alone:
    model: nn.Module
    seconds: float


def _train_alone(lab: ModuleType, data: TensorDataset, settings: Settings, after_step: Callable[[], object]) -> _Alone:
    """What one process makes of the whole batches."""
    torch.manual_seed(settings.seed)
    model = network()
    optimizer, batches = optimizer_of(model), shard(lab, data, settings, rank=0, ranks=1)
    start = time.perf_counter()
    for _ in range(settings.steps):
        images, labels = next(batches)
        optimizer.zero_grad()
        F.cross_entropy(model(images), labels).backward()
        optimizer.step()
        after_step()
    return _Alone(model, (time.perf_counter() - start) / settings.steps)


def _weights(model: nn.Module) -> Tensor:
    return nn.utils.parameters_to_vector(model.parameters()).detach()


def _accuracy(model: nn.Module, data: TensorDataset) -> float:
    images, labels = data.tensors
    with torch.no_grad():
        return accuracy(model(images), labels)


def _drift(weights: Tensor) -> float:
    of_rank_0 = weights.clone()
    dist.broadcast(of_rank_0, 0)
    largest = (weights - of_rank_0).abs().max()
    dist.all_reduce(largest, dist.ReduceOp.MAX)
    return largest.item()
