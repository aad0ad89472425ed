"""Training steps of the lab's trainer in each number format, and what they cost: one measurement for all that ask."""

from collections.abc import Callable, Mapping
from contextlib import nullcontext
from dataclasses import dataclass, field
from functools import partial
from types import ModuleType
from typing import Any

import torch
from torch import Tensor, nn

from labkit.course.errors import LabError
from labkit.toolbox.measure import StepMemory, float32_products, interleaved_medians, step_memory

MOST_SKIPS = 40  # steps in a row; a scale of 2^24, halved so often, is below 2^-15

Batch = tuple[Tensor, Tensor]  # inputs and targets


class TokenCrossEntropy(nn.CrossEntropyLoss):
    """Mean cross entropy of logits (N, T, vocab) with tokens (N, T)."""

    def forward(self, input: Tensor, target: Tensor) -> Tensor:
        return super().forward(input.flatten(0, 1), target.flatten())


@dataclass(frozen=True)
class Workload:
    """What is trained for a measurement; `batch(n, device)` gives n samples, `samples` names them."""

    name: str
    model: Callable[[], nn.Module]
    criterion: nn.Module
    batch: Callable[[int, str], Batch]
    batch_size: int
    samples: str


def tokens(vocabulary: int, length: int) -> Callable[[int, str], Batch]:
    """The `batch` of a language model: random tokens."""

    def batch(size: int, device: str) -> Batch:
        inputs, targets = torch.randint(vocabulary, (2, size, length), device=device)
        return inputs, targets

    return batch


def texts(vocabulary: int, length: int, classes: int) -> Callable[[int, str], Batch]:
    """The `batch` of a classifier of texts: random tokens and random classes."""
    return lambda size, device: (
        torch.randint(vocabulary, (size, length), device=device),
        torch.randint(classes, (size,), device=device),
    )


def images(side: int, classes: int) -> Callable[[int, str], Batch]:
    """The `batch` of a classifier of images: standard normal colours and random classes."""
    return lambda size, device: (
        torch.randn(size, 3, side, side, device=device),
        torch.randint(classes, (size,), device=device),
    )


def vectors(width: int, classes: int) -> Callable[[int, str], Batch]:
    """The `batch` of a classifier: standard normal inputs and random classes."""
    return lambda size, device: (
        torch.randn(size, width, device=device),
        torch.randint(classes, (size,), device=device),
    )


@dataclass
class Subject:
    """A trainer in one format, and what its steps gave: `losses`, and how many were `skipped`.

    `products` says how CUDA multiplies float32, "ieee" or "tf32"; "" leaves that as it is.
    """

    trainer: Any
    dtype: torch.dtype
    optimizer: torch.optim.Optimizer
    criterion: nn.Module
    products: str = ""
    losses: list[float] = field(default_factory=list)
    skipped: int = 0

    def step(self, batch: Batch) -> bool:
        """Whether the optimizer stepped."""
        with float32_products(self.products) if self.products else nullcontext():
            loss, skipped = self.trainer.train_step(batch, self.optimizer, self.criterion)
        self.losses.append(float(loss))
        self.skipped += bool(skipped)
        return not skipped


@dataclass(frozen=True)
class Cost:
    """What a step costs: seconds, and bytes as `StepMemory` has them."""

    seconds: float
    memory: StepMemory


def subject(lab: ModuleType, workload: Workload, dtype: torch.dtype, device: str) -> Subject:
    """The lab's trainer in `dtype` on a model of its own, with AdamW."""
    torch.manual_seed(0)
    model = workload.model().to(device)
    trainer = lab.MixedPrecisionTrainer(model, dtype=dtype)
    return Subject(trainer, dtype, torch.optim.AdamW(model.parameters()), workload.criterion)


def costs(subjects: Mapping[str, Subject], batch: Batch, repeats: int, device: str) -> dict[str, Cost]:
    """What a step on `batch` costs each subject, the subjects taking turns. Raises LabError as `memory` does."""
    found = {name: memory(one, batch, device) for name, one in subjects.items()}
    steps = {name: partial(one.step, batch) for name, one in subjects.items()}
    seconds = interleaved_medians(steps, repeats=repeats, warmup=1, device=device)
    return {name: Cost(seconds[name], found[name]) for name in subjects}


def memory(one: Subject, batch: Batch, device: str) -> StepMemory:
    """Memory of a step that the optimizer makes, after a first one, in which it makes its state.

    A step that is skipped holds less: no optimizer state, no update. Raises LabError if all are skipped.
    """
    made: list[bool] = []

    def step() -> None:
        made.append(one.step(batch))

    while not any(made) and len(made) < MOST_SKIPS:
        step()
    while any(made) and len(made) < 2 * MOST_SKIPS:
        found = step_memory(step, device, warmup=0)
        if made[-1]:
            return found
    raise LabError(f"{len(made) - sum(made)} of {len(made)} steps were skipped: there is no whole step to measure")
