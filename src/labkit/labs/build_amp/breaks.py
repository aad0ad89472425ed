"""Classic bugs of mixed precision, each trained beside the right code of the lab file: what they do to the curves."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from types import ModuleType
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.utils.data import TensorDataset

from labkit.labs.build_amp.panels import RIGHT, WRONG, Panel, Shown, means
from labkit.toolbox.datasets import digits_split


@dataclass(frozen=True)
class Break:
    """`bug` says what the code does. `run(lab, seed, after_step)` trains with and without it, `steps` steps in all."""

    bug: str
    run: Callable[[ModuleType, int, Callable[[], object]], Shown]
    steps: int


def _network() -> nn.Sequential:
    return nn.Sequential(nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 10))


def _batches(count: int, size: int, train_set: TensorDataset) -> Iterator[tuple[Tensor, Tensor]]:
    for _ in range(count):
        images, labels = train_set[torch.randint(len(train_set), (size,))]
        yield images, labels


# tracker-not-reset ------------------------------------------------------------------------------------------------

TRACKER_STEPS = 400
PERIOD = 10  # every so many steps comes a batch of the second scanner
INTERVAL = 10  # the growth interval


class TrackerNotReset:
    """Grows the scale after INTERVAL good steps in total: an overflow does not set the count back to 0."""

    def __init__(self, lab: ModuleType, init_scale: float) -> None:
        self._lab, self._scaler, self._good = lab, lab.StaticLossScaler(init_scale), 0

    def scale(self, loss: Tensor) -> Tensor:
        return self._scaler.scale(loss)

    def step(self, optimizer: torch.optim.Optimizer) -> bool:
        self._stepped = self._scaler.step(optimizer)
        return self._stepped

    def get_scale(self) -> float:
        return self._scaler.get_scale()

    def update(self) -> None:
        self._scaler.update()
        self._good += self._stepped
        factor = 1.0 if self._stepped else 0.5
        if self._good == INTERVAL:
            factor, self._good = 2.0, 0
        self._scaler = self._lab.StaticLossScaler(self.get_scale() * factor)


def tracker_not_reset(lab: ModuleType, seed: int, after_step: Callable[[], object]) -> Shown:
    """Batches of another kind overflow first, and are lost if the scale has always grown again when they come."""
    losses = Panel("Loss of the second scanner's batches", "cross entropy (nats)", log=10)
    scales = Panel("Loss scale", "loss scale of the step", log=2, mark="skipped step")
    scalers = {
        RIGHT: lab.DynamicLossScaler(init_scale=2.0**16, growth_interval=INTERVAL),
        WRONG: TrackerNotReset(lab, 2.0**16),
    }
    for name, scaler in scalers.items():
        torch.manual_seed(seed)
        model, (train_set, _) = _network(), digits_split()
        optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
        for step, (images, labels) in enumerate(_batches(TRACKER_STEPS, 32, train_set), start=1):
            other = step % PERIOD == 0
            if other:  # dark on light, and its pixels are not divided by 16
                images = 16 * (1 - images)
            optimizer.zero_grad()
            with lab.Autocast(torch.float16):
                loss = F.cross_entropy(model(images), labels)
            scale = scaler.get_scale()
            scaler.scale(loss).backward()
            stepped = scaler.step(optimizer)
            scaler.update()
            scales.curves[name].append((step, scale))
            if not stepped:
                scales.marked[name].append((step, scale))
            if other:
                losses.curves[name].append((step, loss.item()))
            after_step()
    skipped = {name: len(points) for name, points in scales.marked.items()}
    return Shown(
        (losses, scales),
        f"Every {PERIOD}th batch comes from a second scanner, and its gradients overflow first. With the bug "
        f"{skipped[WRONG]} of {TRACKER_STEPS} steps are skipped instead of {skipped[RIGHT]}, and the loss of the "
        f"second scanner's batches ends at {losses.last(WRONG, 5):.2f} instead of {losses.last(RIGHT, 5):.2f}.",
    )


# gradients-times-1e7 ----------------------------------------------------------------------------------------------

HANDLER_STEPS = 200
TINY, FACTOR = 1e-7, 1e7


def gradients_times_1e7(lab: ModuleType, seed: int, after_step: Callable[[], object]) -> Shown:
    """A handler against underflow that takes one small entry for a small gradient."""
    losses = Panel("Loss", "cross entropy (nats)", log=10)
    weights = Panel("Largest weight", "its absolute value", log=10, mark="multiplied gradient")
    for name in (RIGHT, WRONG):
        torch.manual_seed(seed)
        model, (train_set, _) = _network(), digits_split()
        optimizer, scaler = torch.optim.SGD(model.parameters(), lr=0.1), lab.DynamicLossScaler()
        seen: list[float] = []
        for step, (images, labels) in enumerate(_batches(HANDLER_STEPS, 64, train_set), start=1):
            optimizer.zero_grad()
            with lab.Autocast(torch.bfloat16):
                loss = F.cross_entropy(model(images), labels)
            scaler.scale(loss).backward()
            scaler.unscale_(optimizer)
            struck = [_multiply_if_tiny(parameter) for parameter in model.parameters()] if name == WRONG else []
            scaler.step(optimizer)
            scaler.update()
            seen.append(loss.item())
            largest = max(parameter.abs().max().item() for parameter in model.parameters())
            weights.curves[name].append((step, largest))
            if any(struck):
                weights.marked[name].append((step, largest))
            after_step()
        losses.curves[name] = means(seen)
    steps = len(weights.marked[WRONG])
    highest = max(loss for _, loss in losses.curves[WRONG])
    return Shown(
        (losses, weights),
        f"The handler multiplied gradients in {steps} of {HANDLER_STEPS} steps: the largest weight ends at "
        f"{weights.last(WRONG):.2g} instead of {weights.last(RIGHT):.2g}, and the loss rises to {highest:.1g} and ends "
        f"at {losses.last(WRONG):.1g} instead of {losses.last(RIGHT):.2f}.",
    )


def _multiply_if_tiny(parameter: nn.Parameter) -> bool:
    """The bug: one entry below TINY, and the whole gradient is multiplied by FACTOR."""
    assert parameter.grad is not None
    sizes = parameter.grad.abs()
    tiny = bool(((sizes > 0) & (sizes < TINY)).any())
    if tiny:
        parameter.grad *= FACTOR
    return tiny


# masters-from-halves ----------------------------------------------------------------------------------------------

MASTER_STEPS = 1000


def masters_from_halves(lab: ModuleType, seed: int, after_step: Callable[[], object]) -> Shown:
    """Masters that are copied from the rounded weights in every step: what the rounding took away is lost."""
    losses = Panel("Loss", "cross entropy (nats)")
    changed = Panel("Weights that have ever changed", "percent of all weights")
    for name in (RIGHT, WRONG):
        torch.manual_seed(seed)
        model, (train_set, _) = _network().bfloat16(), digits_split()
        masters = _masters(lab, model)
        first = nn.utils.parameters_to_vector(model.parameters()).detach()
        ever = torch.zeros_like(first, dtype=torch.bool)
        seen: list[float] = []
        for images, labels in _batches(MASTER_STEPS, 128, train_set):
            if name == WRONG:
                masters = _masters(lab, model)
            masters.zero_grad()
            loss = F.cross_entropy(model(images.bfloat16()).float(), labels)
            loss.backward()
            masters.step()
            ever |= nn.utils.parameters_to_vector(model.parameters()).detach() != first
            seen.append(loss.item())
            share = 100 * ever.double().mean().item()
            changed.curves[name].append((len(seen), share))
            after_step()
        losses.curves[name] = means(seen)
    return Shown(
        (losses, changed),
        f"After {MASTER_STEPS} steps the loss is {losses.last(WRONG):.2f} instead of {losses.last(RIGHT):.2f}: "
        f"{changed.last(WRONG):.0f}% of the bfloat16 weights have changed at least once instead of "
        f"{changed.last(RIGHT):.0f}%.",
    )


def _masters(lab: ModuleType, model: nn.Module) -> Any:
    return lab.MasterWeights(model, lambda masters: torch.optim.SGD(masters, lr=1e-2))


# last-window-dropped ----------------------------------------------------------------------------------------------

EPOCHS = 20
MICRO_BATCH, WINDOW = 64, 16


def last_window_dropped(lab: ModuleType, seed: int, after_step: Callable[[], object]) -> Shown:
    """An epoch ends in the middle of a window, and what was accumulated is thrown away."""
    losses = Panel("Loss", "cross entropy (nats)", xlabel="epoch")
    steps = Panel("Optimizer steps", "steps so far", xlabel="epoch")
    dropped = count = 0
    for name in (RIGHT, WRONG):
        torch.manual_seed(seed)
        model, (train_set, _) = _network(), digits_split()
        optimizer, scaler = torch.optim.Adam(model.parameters(), lr=1e-2), lab.DynamicLossScaler()
        made = 0
        for epoch in range(1, EPOCHS + 1):
            images, labels = train_set[torch.randperm(len(train_set))]
            batches = list(zip(images.split(MICRO_BATCH), labels.split(MICRO_BATCH), strict=True))
            count, dropped = len(batches), len(batches) % WINDOW
            if name == WRONG:
                batches = batches[: count - dropped]
            did = lab.accumulate(model, batches, WINDOW, optimizer, scaler, nn.CrossEntropyLoss())
            made += did["steps"]
            losses.curves[name].append((epoch, did["loss"]))
            steps.curves[name].append((epoch, made))
            after_step()
    return Shown(
        (losses, steps),
        f"An epoch has {count} batches, and a window has {WINDOW}. With the bug the last {dropped} batches are lost, "
        f"{EPOCHS} epochs make {steps.last(WRONG):g} steps instead of {steps.last(RIGHT):g}, and the loss ends at "
        f"{losses.last(WRONG):.2f} instead of {losses.last(RIGHT):.2f}.",
    )


BREAKS = {
    "tracker-not-reset": Break("an overflow does not reset the growth tracker", tracker_not_reset, 2 * TRACKER_STEPS),
    "gradients-times-1e7": Break(
        "one tiny entry: the whole gradient is multiplied by 1e7", gradients_times_1e7, 2 * HANDLER_STEPS
    ),
    "masters-from-halves": Break(
        "every step makes new masters from the rounded weights", masters_from_halves, 2 * MASTER_STEPS
    ),
    "last-window-dropped": Break(
        "the last window of an epoch is dropped if it is short", last_window_dropped, 2 * EPOCHS
    ),
}
