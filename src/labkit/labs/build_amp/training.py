"""The training job: a deep network learns digits by what the lab builds, by torch.amp, and in float32.

All trainings have the same first weights and the same batches, so that what differs between them is the arithmetic.
"""

import time
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from types import ModuleType
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from labkit.toolbox.datasets import accuracy, digits_split
from labkit.toolbox.emulation import EmulatedHalf
from labkit.toolbox.history import StepRecord, mean_loss
from labkit.toolbox.measure import interleaved_medians
from labkit.toolbox.models import DeepSigmoid

DTYPES = {"bf16": torch.bfloat16, "fp16": torch.float16}
HERE, TORCH = "built here", "torch.amp"
DEPTH = 5
BATCH = 128
LEARNING_RATE = 5e-3
INIT_SCALE = 2.0**24  # too high: the first gradients overflow
GROWTH_INTERVAL = 50  # PyTorch's own is 2000: too long to see growth here
LOOK = 10  # steps from one look at the gradients to the next
LAST = 50  # steps whose mean is a final loss
FP16_BUDGET = 30.0  # seconds for the two trainings in real float16; if they would take longer, emulation


@dataclass(frozen=True)
class Settings:
    """`dtypes` are names in DTYPES; float32 is always trained too."""

    dtypes: tuple[str, ...] = tuple(DTYPES)
    steps: int = 400
    seed: int = 0


class Amp(NamedTuple):
    """Mixed precision by one maker: how a region begins, a scaler that finds its scale, and one that leaves it at 1."""

    region: Callable[[torch.dtype], AbstractContextManager[Any]]
    scaling: Callable[[], Any]
    no_scaling: Callable[[], Any]


@dataclass(frozen=True)
class Run:
    """How one training went.

    `lost`: at some steps, the share of the non-zero entries of the first layer's true gradient that are zero in the
    format, with the same weights and batch; and the share that would be without a loss scale.
    """

    records: list[StepRecord]
    lost: list[tuple[int, float, float]]
    accuracy: float
    seconds: float


def built_here(lab: ModuleType) -> Amp:
    """The autocast and the scalers of the lab file."""
    dynamic = lab.DynamicLossScaler
    return Amp(
        lab.Autocast,
        lambda: dynamic(init_scale=INIT_SCALE, growth_interval=GROWTH_INTERVAL),
        lambda: lab.StaticLossScaler(1.0),
    )


def of_torch() -> Amp:
    """The autocast and the scaler of PyTorch."""
    return Amp(
        lambda dtype: torch.autocast("cpu", dtype),
        lambda: torch.amp.GradScaler("cpu", init_scale=INIT_SCALE, growth_interval=GROWTH_INTERVAL),
        lambda: torch.amp.GradScaler("cpu", enabled=False),
    )


def beside_torch(
    lab: ModuleType, settings: Settings, after_step: Callable[[], object] = lambda: None
) -> dict[str, Any]:
    """Every training of `settings`, as JSON; `after_step` is called `total_steps(settings)` times.

    `parted`: for each format the first step at which the two trainings do not agree in every bit of loss and scale,
    None if they always do.
    """
    emulated = "fp16" in settings.dtypes and not float16_is_quick(settings.steps)
    makers = {HERE: built_here(lab), TORCH: of_torch()}
    # Before the trainings, which take a while: a step that is still to be solved shows at once.
    scalers = {
        (dtype, by): maker.scaling() if dtype == "fp16" else maker.no_scaling()
        for dtype in settings.dtypes
        for by, maker in makers.items()
    }
    runs, parted = {"fp32": train(settings, nullcontext, None, False, after_step)}, {}
    for dtype in settings.dtypes:
        alone = emulated and dtype == "fp16"  # the emulation rounds by itself: no region
        pair = {}
        for by, maker in makers.items():
            region = nullcontext if alone else lambda maker=maker, dtype=dtype: maker.region(DTYPES[dtype])
            pair[by] = train(settings, region, scalers[dtype, by], alone, after_step)
        runs |= {f"{dtype}, {by}": run for by, run in pair.items()}
        parted[dtype] = first_difference(*(run.records for run in pair.values()))
    return {
        "steps": settings.steps,
        "emulated": emulated,
        "parted": parted,
        "runs": {name: as_json(run) for name, run in runs.items()},
    }


def total_steps(settings: Settings) -> int:
    return settings.steps * (1 + 2 * len(settings.dtypes))


def float16_is_quick(steps: int) -> bool:
    """Whether this machine computes two trainings of so many steps in float16 within FP16_BUDGET."""
    model, (images, labels) = DeepSigmoid(depth=DEPTH), digits_split()[0][:BATCH]

    def step() -> None:
        with torch.autocast("cpu", torch.float16):
            loss = F.cross_entropy(model(images), labels)
        loss.backward()

    return 2 * steps * interleaved_medians({"fp16": step}, repeats=5)["fp16"] <= FP16_BUDGET


def train(
    settings: Settings,
    region: Callable[[], AbstractContextManager[Any]],
    scaler: Any,
    emulated: bool,
    after_step: Callable[[], object],
) -> Run:
    """One training; without a scaler the loss is not scaled."""
    start = time.perf_counter()
    train_set, test_set = digits_split()
    torch.manual_seed(settings.seed)
    model = DeepSigmoid(depth=DEPTH)
    computed = EmulatedHalf(model) if emulated else model
    optimizer = torch.optim.Adam(model.parameters(), lr=LEARNING_RATE)
    first = next(model.parameters())
    records, lost = [], []
    for step in range(1, settings.steps + 1):
        images, labels = train_set[torch.randint(len(train_set), (BATCH,))]

        def loss_of(network: nn.Module, images: Tensor = images, labels: Tensor = labels) -> Tensor:
            return F.cross_entropy(network(images), labels)

        look = step % LOOK == 0
        if look:
            (true,) = torch.autograd.grad(loss_of(model), [first])
            with region():
                unscaled_loss = loss_of(computed)
            (unscaled,) = torch.autograd.grad(unscaled_loss, [first])
        scale = scaler.get_scale() if scaler else 1.0
        optimizer.zero_grad()
        with region():
            loss = loss_of(computed)
        skipped = _scaled_step(loss, scaler, optimizer)
        records.append(StepRecord(loss.item(), skipped, scale, BATCH))
        if look:
            assert first.grad is not None
            lost.append((step, _share_lost(true, first.grad), _share_lost(true, unscaled)))
        after_step()
    images, labels = test_set.tensors
    with torch.no_grad():
        correct = accuracy(model(images), labels)
    return Run(records, lost, correct, time.perf_counter() - start)


def _scaled_step(loss: Tensor, scaler: Any, optimizer: torch.optim.Optimizer) -> bool:
    """Backward and step; whether the step was skipped, which shows in the scale: it falls then, and only then."""
    if scaler is None:
        loss.backward()
        optimizer.step()
        return False
    before = scaler.get_scale()
    scaler.scale(loss).backward()
    scaler.step(optimizer)
    scaler.update()
    return scaler.get_scale() < before


def _share_lost(true: Tensor, kept: Tensor) -> float:
    """The share of the non-zero entries of `true` that are zero in `kept`."""
    return (kept[true != 0] == 0).double().mean().item()


def first_difference(one: list[StepRecord], other: list[StepRecord]) -> int | None:
    """The number of the first step, from 1, whose records differ; None if there is none."""
    differing = (step for step, pair in enumerate(zip(one, other, strict=True), start=1) if pair[0] != pair[1])
    return next(differing, None)


def as_json(run: Run) -> dict[str, Any]:
    """What table and picture need: losses as means of LOOK steps, scales where they change."""
    records = run.records
    steps = range(LOOK, len(records) + 1, LOOK)
    scales = [(step, record.scale) for step, record in enumerate(records, start=1)]
    changes = [one for one, before in zip(scales[1:], scales, strict=False) if one[1] != before[1]]
    return {
        "losses": [(step, mean_loss(records[step - LOOK : step])) for step in steps],
        "final_loss": mean_loss(records[-LAST:]),
        "scales": scales[:1] + changes,
        "skips": [(step, record.scale) for step, record in enumerate(records, start=1) if record.skipped],
        "lost": run.lost,
        "accuracy": run.accuracy,
        "seconds": run.seconds,
    }
