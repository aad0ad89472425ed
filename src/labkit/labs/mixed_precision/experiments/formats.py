"""What a deep network learns in each format, and in float16 without loss scaling."""

import time
from collections.abc import Callable
from types import ModuleType
from typing import Any

import torch
from matplotlib import pyplot
from matplotlib.figure import Figure
from torch import nn

from labkit.experiments.style import FORMATS
from labkit.labs.mixed_precision.compare import one_thread
from labkit.labs.mixed_precision.training import accuracy
from labkit.toolbox.datasets import digits_split
from labkit.toolbox.emulation import EmulatedHalf
from labkit.toolbox.history import StepRecord, mean_loss
from labkit.toolbox.measure import interleaved_medians
from labkit.toolbox.models import DeepSigmoid

TITLE = "Six sigmoid layers learn digits in each format"
STEPS = 500
LEARNING_RATE = 1e-2
BATCH = 1024
WINDOW = 10  # steps whose mean is a point of a curve
LAST = 50  # steps whose mean is a final loss
FP16_BUDGET = 15.0  # seconds for the two float16 trainings; if they take longer, emulation
LINES = {"fp32": ("-", 5.0), "bf16": ("-", 2.2), "fp16": ("--", 2.2), "fp16, no scaling": ("-", 2.2)}


def measure(lab: ModuleType) -> dict[str, Any]:
    """Four trainings on the same batches from the same weights; a float16 that is slow here is emulated."""
    with one_thread():
        emulated = 2 * STEPS * float16_step_seconds(lab) > FP16_BUDGET
        runs = {
            "fp32": _run(lab, torch.float32, False, False),
            "bf16": _run(lab, torch.bfloat16, False, False),
            "fp16": _run(lab, torch.float16, True, emulated),
            "fp16, no scaling": _run(lab, torch.float16, False, emulated),
        }
    return {"emulated": emulated, "steps": list(range(WINDOW, STEPS + 1, WINDOW)), "runs": runs}


def _run(lab: ModuleType, dtype: torch.dtype, scaling: bool, emulated: bool) -> dict[str, Any]:
    start = time.perf_counter()
    model, records = train_deep(lab, dtype, scaling, emulated, STEPS, LEARNING_RATE)
    seconds = time.perf_counter() - start
    return {
        "losses": [mean_loss(records[end - WINDOW : end]) for end in range(WINDOW, STEPS + 1, WINDOW)],
        "final": mean_loss(records[-LAST:]),
        "accuracy": accuracy_on_test_digits(model),
        "zeros": zeros(model),
        "skipped": sum(record.skipped for record in records),
        "seconds": seconds,
    }


def train_deep(
    lab: ModuleType,
    dtype: torch.dtype,
    scaling: bool,
    emulated: bool,
    steps: int,
    learning_rate: float,
    before_step: Callable[[int], None] = lambda step: None,
) -> tuple[DeepSigmoid, list[StepRecord]]:
    """Trains DeepSigmoid in `dtype` with or without loss scaling; an emulated float16 runs in float32."""
    train_set, _ = digits_split()
    torch.manual_seed(0)
    deep = DeepSigmoid()
    model = EmulatedHalf(deep) if emulated else deep
    trainer = lab.MixedPrecisionTrainer(model, dtype=torch.float32 if emulated else dtype, use_scaler=scaling)
    optimizer = torch.optim.Adam(model.parameters(), lr=learning_rate)
    criterion = nn.CrossEntropyLoss()
    records = []
    for step in range(steps):
        before_step(step)
        batch = train_set[torch.randint(len(train_set), (BATCH,))]
        scale = trainer.scaler.get_scale()
        loss, skipped = trainer.train_step(batch, optimizer, criterion)
        records.append(StepRecord(float(loss), bool(skipped), scale, BATCH))
    return deep, records


@torch.no_grad()
def accuracy_on_test_digits(model: nn.Module) -> float:
    """The share of the test digits that `model` names correctly, computed in float32."""
    images, labels = digits_split()[1].tensors
    return accuracy(model(images), labels)


def zeros(model: DeepSigmoid) -> float:
    """The share of exact zeros in the gradient of the first layer, as the last step left it."""
    return (model[0].weight.grad == 0).double().mean().item()


def float16_step_seconds(lab: ModuleType) -> float:
    """What a step of `train_deep` takes in real float16, the median of a few."""
    train_set, _ = digits_split()
    model = DeepSigmoid()
    trainer = lab.MixedPrecisionTrainer(model, dtype=torch.float16)
    optimizer = torch.optim.Adam(model.parameters())
    batch = train_set[torch.arange(BATCH)]
    step = {"fp16": lambda: trainer.train_step(batch, optimizer, nn.CrossEntropyLoss())}
    return interleaved_medians(step, repeats=5, warmup=2)["fp16"]


def table(data: dict[str, Any]) -> list[list[str]]:
    rows = [["format", "loss", "correct", "zeros in the first gradient", "skipped", "seconds"]]
    for name, run in data["runs"].items():
        shares = f"{run['accuracy']:.0%}", f"{run['zeros']:.0%}"
        rows.append([_label(name, data), f"{run['final']:.3f}", *shares, str(run["skipped"]), f"{run['seconds']:.1f}"])
    return rows


def notice(data: dict[str, Any]) -> str:
    runs = data["runs"]
    plain, others = runs["fp16, no scaling"], [run for name, run in runs.items() if name != "fp16, no scaling"]
    losses, correct = [run["final"] for run in others], [run["accuracy"] for run in others]
    emulation = " (emulated: this machine is slow in fp16)" if data["emulated"] else ""
    return (
        f"Without loss scaling fp16{emulation} ends at a loss of {plain['final']:.3f} and {plain['accuracy']:.0%} "
        f"correct: {plain['zeros']:.0%} of the first layer's gradient are exactly zero. fp16 with loss scaling, bf16 "
        f"without and fp32 end between {min(losses):.3f} and {max(losses):.3f}, with {min(correct):.0%} to "
        f"{max(correct):.0%} correct. Guessing among ten digits costs ln 10 = 2.303."
    )


def draw(data: dict[str, Any]) -> Figure:
    figure, (left, right) = pyplot.subplots(1, 2, figsize=(12, 6), width_ratios=[2, 1])
    for name, run in data["runs"].items():
        line, width = LINES[name]
        left.plot(data["steps"], run["losses"], line, color=FORMATS[name], linewidth=width, label=_label(name, data))
    left.set(title="Loss", xlabel="step", ylabel="cross entropy (nats)", ylim=(0, None))
    left.legend(loc="lower left")
    shares = [100 * run["accuracy"] for run in data["runs"].values()]
    names = [_label(name, data).replace(", ", ",\n") for name in data["runs"]]
    bars = right.barh(names, shares, color=[FORMATS[name] for name in data["runs"]])
    right.bar_label(bars, fmt="%.0f%%", padding=4)
    right.invert_yaxis()
    right.set(title="Test digits named correctly", xlabel="percent", xlim=(0, 118), xticks=range(0, 101, 25))
    right.grid(False, axis="y")
    return figure


def _label(name: str, data: dict[str, Any]) -> str:
    """A format's name in table and picture, which says what was emulated and what was scaled."""
    emulated = "emulated " if data["emulated"] and name.startswith("fp16") else ""
    return f"{emulated}{name}{', loss scaling' if name == 'fp16' else ''}"
