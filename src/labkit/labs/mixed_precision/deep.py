"""Six sigmoid layers, whose gradients are so small that float16 loses them: the training of demo and experiment."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from types import ModuleType

import torch
from torch import nn

from labkit.toolbox.datasets import accuracy, digits_split
from labkit.toolbox.emulation import EmulatedHalf
from labkit.toolbox.history import StepRecord, mean_loss
from labkit.toolbox.measure import interleaved_medians
from labkit.toolbox.models import DeepSigmoid

BATCH = 1024
LAST = 50  # steps whose mean is a final loss
UNSCALED = "fp16, no scaling"
RUNS = {  # the dtype of the arithmetic, and whether the loss is scaled
    "fp32": (torch.float32, False),
    "bf16": (torch.bfloat16, False),
    "fp16": (torch.float16, True),
    UNSCALED: (torch.float16, False),
}


@dataclass(frozen=True)
class DeepRun:
    """How the network trained: one record a step, the share of exact zeros in its first layer's last gradient, the
    share of the test digits that it names correctly, and the seconds that all of it took."""

    records: list[StepRecord]
    zeros: float
    accuracy: float
    seconds: float

    @property
    def final_loss(self) -> float:
        return mean_loss(self.records[-LAST:])

    @property
    def skipped(self) -> int:
        return sum(record.skipped for record in self.records)


def train_deep(
    lab: ModuleType,
    name: str,
    emulated: bool,
    steps: int,
    learning_rate: float,
    batch_size: int = BATCH,
    after_step: Callable[[], object] = lambda: None,
) -> DeepRun:
    """Trains DeepSigmoid as `RUNS` has it under `name`; an emulated float16 runs in float32."""
    start = time.perf_counter()
    dtype, scaling = RUNS[name]
    emulated = emulated and dtype == torch.float16
    train_set, test_set = digits_split()
    torch.manual_seed(0)
    deep = DeepSigmoid()
    model = EmulatedHalf(deep) if emulated else deep
    trainer = lab.MixedPrecisionTrainer(model, dtype=torch.float32 if emulated else dtype, use_scaler=scaling)
    optimizer = torch.optim.Adam(model.parameters(), lr=learning_rate)
    criterion = nn.CrossEntropyLoss()
    records = []
    for _ in range(steps):
        batch = train_set[torch.randint(len(train_set), (batch_size,))]
        scale = trainer.scaler.get_scale()
        loss, skipped = trainer.train_step(batch, optimizer, criterion)
        records.append(StepRecord(float(loss), bool(skipped), scale, batch_size))
        after_step()
    first = deep[0].weight.grad
    assert isinstance(first, torch.Tensor)
    images, labels = test_set.tensors
    with torch.no_grad():
        correct = accuracy(deep(images), labels)
    return DeepRun(records, (first == 0).double().mean().item(), correct, time.perf_counter() - start)


def float16_is_quick(lab: ModuleType, steps: int, budget: float) -> bool:
    """Whether two trainings of so many steps in real float16 take at most `budget` seconds, by the time of a few."""
    train_set, _ = digits_split()
    model = DeepSigmoid()
    trainer = lab.MixedPrecisionTrainer(model, dtype=torch.float16)
    optimizer, criterion = torch.optim.Adam(model.parameters()), nn.CrossEntropyLoss()
    batch = train_set[torch.arange(BATCH)]
    step = {"fp16": lambda: trainer.train_step(batch, optimizer, criterion)}
    return 2 * steps * interleaved_medians(step, repeats=5, warmup=2)["fp16"] <= budget
