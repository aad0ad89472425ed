"""The wrappers written by hand in Labs 02 and 03 against torch's, on ranks of this machine that take turns."""

import itertools
import statistics
import time
from collections.abc import Callable
from types import ModuleType

import torch
import torch.distributed as dist
from torch import nn
from torch.nn import functional as F

from bench.limits import Measured
from labkit.course import manifest
from labkit.course.loading import load_implementation
from labkit.toolbox.forked import on_ranks

RANKS = 2
WIDTHS = (64, 1024, 1024, 1024, 1024, 10)  # 3.2 million parameters
SAMPLES = 32  # of a rank: few, so that a step sends about as long as it computes
CAP_MIB = 4  # of a bucket: a layer's weights, so that sending and computing overlap
TURNS = 60
WARMUP = 5

Build = Callable[[ModuleType, nn.Module], nn.Module]


def many_ranks() -> list[Measured]:
    """Both with SGD in float32: the cheapest optimizer, so that it is the wrapper that counts."""
    return [
        _against(
            "lab02, DataParallel against DDP",
            load_implementation(manifest.find("data_parallel").paths.solution),
            lambda lab, model: lab.DataParallel(model, CAP_MIB * 2**20),
            lambda lab, model: lab.wrap_ddp(model, bucket_cap_mb=CAP_MIB),
            limit=1.15,
        ),
        _against(
            "lab03, ShardedModel against FSDP2",
            load_implementation(manifest.find("sharded").paths.solution),
            lambda lab, model: lab.ShardedModel(model),
            lambda lab, model: lab.fsdp2(model, None),
            limit=1.3,
        ),
    ]


def _against(what: str, lab: ModuleType, by_hand: Build, torchs: Build, limit: float) -> Measured:
    hand, other = (statistics.median(turns) for turns in slowest_of_ranks(lab, (by_hand, torchs)))
    return Measured(f"{what}: step on {RANKS} ranks, {1e3 * other:.1f} ms", hand / other, "x", limit)


def slowest_of_ranks(lab: ModuleType, builds: tuple[Build, ...]) -> list[list[float]]:
    """For each wrapper and turn, the seconds of a training step on the rank that took longest."""
    of_ranks = on_ranks(lambda rank: _times([_step(build(lab, _network())) for build in builds]), RANKS)
    return [[max(turn) for turn in zip(*of_wrapper, strict=True)] for of_wrapper in zip(*of_ranks, strict=True)]


def _network() -> nn.Sequential:
    torch.manual_seed(0)
    layers = [layer for pair in itertools.pairwise(WIDTHS) for layer in (nn.Linear(*pair), nn.ReLU())]
    return nn.Sequential(*layers[:-1])


def _step(model: nn.Module) -> Callable[[], None]:
    """A training step on a batch of noise."""
    optimizer = torch.optim.SGD(model.parameters(), lr=1e-3)
    inputs, targets = torch.rand(SAMPLES, WIDTHS[0]), torch.randint(WIDTHS[-1], (SAMPLES,))

    def step() -> None:
        optimizer.zero_grad()
        F.cross_entropy(model(inputs), targets).backward()
        optimizer.step()

    return step


def _times(steps: list[Callable[[], None]]) -> list[list[float]]:
    """Seconds of each step in each turn on this rank; the ranks begin each together."""
    seconds: list[list[float]] = [[] for _ in steps]
    for turn in range(WARMUP + TURNS):
        for step, times in zip(steps, seconds, strict=True):
            dist.barrier()
            start = time.perf_counter()
            step()
            if turn >= WARMUP:
                times.append(time.perf_counter() - start)
    return seconds
