"""What bfloat16 weights lose at large and at small learning rates, with three optimizers and from several seeds."""

from collections.abc import Callable
from functools import partial
from types import ModuleType
from typing import Any

import torch
from matplotlib import pyplot
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from torch import Tensor, nn
from torch.nn import functional as F
from torch.optim import SGD, AdamW, Optimizer

from labkit.labs.mixed_precision.experiments.master_weights import COLOURS, LOST, RUNS, WIDTHS
from labkit.toolbox.datasets import digits_split
from labkit.toolbox.measure import one_thread

TITLE = "Loss of bf16 weights and of float32 master weights over learning rates, from five seeds (digits, 64-32-10)"
SEEDS = 5
STEPS = 400
BATCH = 32
HIDDEN = 32
SAMPLED = 10  # one in so many steps is looked at for the size of its updates
SINGLE, MASTER, PURE = RUNS
OPTIMIZERS: dict[str, Callable[..., Optimizer]] = {
    "SGD": SGD,
    "SGD, momentum": partial(SGD, momentum=0.9),
    "AdamW": AdamW,
}
RATES = {  # half a power of ten apart, up to where all of them learn well
    name: [10 ** (largest - halves / 2) for halves in range(5, -1, -1)]
    for name, largest in zip(OPTIMIZERS, (-0.5, -1.5, -2), strict=True)
}


class Networks(nn.Module):
    """A network for each rate and seed, rate by rate: (rates * SEEDS, N, 64) -> (rates * SEEDS, N, 10) logits.

    One product computes a layer of all of them. Their losses are added and optimizers work element by element, so each
    trains as if it were alone. The seeds differ in first weights and batches; every rate has the same ones.
    """

    def __init__(self, rates: int) -> None:
        super().__init__()
        start = [*_uniform(64, HIDDEN), *_uniform(HIDDEN, 10)]
        self.of_rate = nn.ModuleList(nn.ParameterList(one.clone() for one in start) for _ in range(rates))

    def forward(self, images: Tensor) -> Tensor:
        first, first_bias, second, second_bias = (torch.cat(parts) for parts in zip(*self.of_rate, strict=True))
        return torch.baddbmm(second_bias, torch.baddbmm(first_bias, images, first).relu(), second)


def _uniform(inputs: int, outputs: int) -> list[Tensor]:
    """Weights and biases of a layer, for each seed, drawn as nn.Linear does."""
    bound = inputs**-0.5
    return [torch.empty(SEEDS, rows, outputs).uniform_(-bound, bound) for rows in (inputs, 1)]


class SummedLoss(nn.Module):
    """The sum over the networks of their mean losses; labels are (rates * SEEDS, N)."""

    def forward(self, logits: Tensor, labels: Tensor) -> Tensor:
        return _losses(logits, labels).sum()


def _losses(logits: Tensor, labels: Tensor) -> Tensor:
    """The mean loss of each network."""
    each = F.cross_entropy(logits.float().flatten(0, 1), labels.flatten(), reduction="none")
    return each.view(labels.shape).mean(dim=1)


def measure(lab: ModuleType) -> dict[str, Any]:
    """For each optimizer and kind of weights, and each rate: the seeds' losses, and what bf16 weights would lose."""
    torch.manual_seed(0)
    untrained = Networks(1)
    with one_thread():
        return {
            "rates": RATES,
            "untrained": _loss_of_all(untrained)[0],
            "median": _flat(untrained).abs().median().item(),
            "runs": {
                optimizer: {name: _run(lab, optimizer, *dtypes) for name, dtypes in RUNS.items()} for optimizer in RATES
            },
        }


def _run(lab: ModuleType, optimizer: str, dtype: torch.dtype, weights: torch.dtype) -> dict[str, Any]:
    """A training at each rate: the losses of its seeds, and the share of the weights' movement in small updates."""
    images, labels = digits_split()[0].tensors
    rates = RATES[optimizer]
    torch.manual_seed(0)
    networks = Networks(len(rates)).to(weights)
    trainer, criterion = lab.MixedPrecisionTrainer(networks, dtype=dtype), SummedLoss()
    groups = [
        {"params": list(group.parameters()), "lr": rate} for group, rate in zip(networks.of_rate, rates, strict=True)
    ]
    stepper = OPTIMIZERS[optimizer](groups)
    moved, small = torch.zeros(2, len(rates))
    for step in range(STEPS):
        picked = torch.randint(len(labels), (SEEDS, BATCH)).repeat(len(rates), 1)
        before = _flat(networks) if step % SAMPLED == 0 else None
        trainer.train_step((images[picked], labels[picked]), stepper, criterion)
        if before is not None:
            updates = (_flat(networks) - before).abs()
            moved += updates.sum(dim=1)
            small += updates.where(updates < LOST * before.abs(), 0).sum(dim=1)
    return {"losses": _loss_of_all(networks.float()), "small": (small / moved).tolist()}


@torch.no_grad()
def _loss_of_all(networks: Networks) -> list[list[float]]:
    """For each rate and seed the loss of all training digits, in float32 whatever the training computed in."""
    images, labels = digits_split()[0].tensors
    count = SEEDS * len(networks.of_rate)
    return _losses(networks(images.expand(count, -1, -1)), labels.expand(count, -1)).view(-1, SEEDS).tolist()


def _flat(networks: Networks) -> Tensor:
    """A copy of all weights and biases, a row for each rate."""
    return nn.utils.parameters_to_vector(networks.parameters()).detach().view(len(networks.of_rate), -1)


def table(data: dict[str, Any]) -> list[list[str]]:
    rows = [["optimizer", "rate", *RUNS, f"below 1/{1 / LOST:g}"]]
    for optimizer, rates in data["rates"].items():
        runs = data["runs"][optimizer]
        for place, rate in enumerate(rates):
            means = [f"{_mean(run['losses'][place]):.2f}" for run in runs.values()]
            rows.append([optimizer, f"{rate:.1e}", *means, f"{runs[MASTER]['small'][place]:.0%}"])
    return rows


def notice(data: dict[str, Any]) -> str:
    gaps = [_widest_gap(data, optimizer) for optimizer in data["rates"]]
    adamw, place = data["runs"]["AdamW"], _widest(data, "AdamW")
    apart = max(
        abs(_mean(one) - _mean(other))
        for one, other in zip(adamw[SINGLE]["losses"], adamw[MASTER]["losses"], strict=True)
    )
    small = [f"{share:.0%}" for share in adamw[MASTER]["small"]]
    return (
        f"Means of {len(data['untrained'])} seeds: bf16 weights are furthest behind master weights at {gaps[0]}, at "
        f"{gaps[1]}, and at {gaps[2]}. With AdamW, master weights end within {apart:.1g} of fp32 at every rate. Of all "
        f"that AdamW moves them, updates below 1/{1 / LOST:g} of their weight make {small[0]} at its smallest rate, "
        f"{small[place]} at {data['rates']['AdamW'][place]:.1e}, and {small[-1]} at its largest."
    )


def _widest_gap(data: dict[str, Any], optimizer: str) -> str:
    place = _widest(data, optimizer)
    pure, master = (_mean(data["runs"][optimizer][name]["losses"][place]) for name in (PURE, MASTER))
    return f"{data['rates'][optimizer][place]:.1e} with {optimizer} ({pure:.2f} against {master:.2f})"


def _widest(data: dict[str, Any], optimizer: str) -> int:
    """The place of the rate at which bf16 weights are furthest behind master weights."""
    pure, master = (data["runs"][optimizer][name]["losses"] for name in (PURE, MASTER))
    gaps = [_mean(behind) - _mean(ahead) for behind, ahead in zip(pure, master, strict=True)]
    return gaps.index(max(gaps))


def _mean(losses: list[float]) -> float:
    return sum(losses) / len(losses)


def draw(data: dict[str, Any]) -> Figure:
    figure, (upper, lower) = pyplot.subplots(
        2, len(data["rates"]), figsize=(12, 8), sharex="col", sharey="row", height_ratios=(2, 1)
    )
    ink = pyplot.rcParams["text.color"]
    for axes, below, (optimizer, rates) in zip(upper, lower, data["rates"].items(), strict=True):
        for name, run in data["runs"][optimizer].items():
            _band(axes, name, rates, run["losses"])
        axes.axhline(_mean(data["untrained"]), color=ink, linestyle=":", linewidth=1.4, label="untrained")
        shares = [100 * share for share in data["runs"][optimizer][MASTER]["small"]]
        below.plot(rates, shares, color=COLOURS[MASTER], marker="o")
        axes.set(title=optimizer, xscale="log", ylim=(0, None))
        below.set(xlabel="learning rate", ylim=(0, 100))
    threshold = LOST * data["median"]
    label = f"rate = median weight / {1 / LOST:g}"
    for axes in (upper[-1], lower[-1]):
        axes.axvline(threshold, color=ink, linestyle="--", linewidth=1.4, label=label)
    upper[0].set_ylabel(f"cross entropy (nats)\nmean and range of {len(data['untrained'])} seeds")
    lower[0].set_ylabel(f"percent of movement by\nupdates < |w| / {1 / LOST:g}")
    figure.legend(*upper[-1].get_legend_handles_labels(), loc="outside lower center", ncols=3)
    return figure


def _band(axes: Axes, name: str, rates: list[float], losses: list[list[float]]) -> None:
    """The mean over the seeds, and the range that they fill."""
    low, mean, high = zip(*((min(seeds), _mean(seeds), max(seeds)) for seeds in losses), strict=True)
    axes.plot(rates, mean, color=COLOURS[name], linewidth=WIDTHS[name], label=name)
    axes.fill_between(rates, low, high, color=COLOURS[name], alpha=0.25, linewidth=0)
