"""What happens to small updates when the weights themselves are bfloat16, without a float32 master copy."""

from types import ModuleType
from typing import Any

import torch
from matplotlib import pyplot
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from torch import Tensor, nn

from labkit.experiments.style import FORMATS, VERMILION
from labkit.toolbox.datasets import accuracy, digits_split
from labkit.toolbox.measure import one_thread

TITLE = "SGD with bf16 weights and with float32 master weights (digits, 64-128-128-10)"
STEPS = 2000
WINDOW = 20  # steps whose mean is a point of a curve
BATCH = 128
LEARNING_RATE = 1e-2
RUNS = {  # the dtype of the arithmetic, and that of the weights
    "fp32": (torch.float32, torch.float32),
    "bf16, fp32 master weights": (torch.bfloat16, torch.float32),
    "bf16 weights": (torch.bfloat16, torch.bfloat16),
}
COLOURS = dict(zip(RUNS, (FORMATS["fp32"], FORMATS["bf16"], VERMILION), strict=True))
WIDTHS = dict(zip(RUNS, (5.0, 2.2, 2.2), strict=True))
LOST = 2.0**-9  # bf16 has 8 significant bits: an update below this share of its weight always rounds to none


def measure(lab: ModuleType) -> dict[str, Any]:
    """Three trainings on the same batches: losses, weights that changed in a step and since the start, accuracy."""
    with one_thread():
        runs = {name: _run(lab, *dtypes) for name, dtypes in RUNS.items()}
    return {"steps": list(range(WINDOW, STEPS + 1, WINDOW)), "runs": runs}


def _run(lab: ModuleType, dtype: torch.dtype, weights: torch.dtype) -> dict[str, Any]:
    train_set, test_set = digits_split()
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(64, 128), nn.ReLU(), nn.Linear(128, 128), nn.ReLU(), nn.Linear(128, 10)).to(weights)
    trainer = lab.MixedPrecisionTrainer(model, dtype=dtype)
    optimizer = torch.optim.SGD(model.parameters(), lr=LEARNING_RATE)
    criterion = nn.CrossEntropyLoss()
    before = _flat(model)
    ever = torch.zeros_like(before, dtype=torch.bool)
    losses, per_step, since_start, small = [], [], [], []
    for _ in range(STEPS):
        batch = train_set[torch.randint(len(train_set), (BATCH,))]
        loss, _ = trainer.train_step(batch, optimizer, criterion)
        after = _flat(model)
        changed = after != before
        ever |= changed
        losses.append(float(loss))
        per_step.append(changed.double().mean().item())
        since_start.append(ever.double().mean().item())
        small.append(((after - before).abs() < LOST * before.abs())[changed].double().mean().item())
        before = after
    images, labels = test_set.tensors
    with torch.no_grad():
        correct = accuracy(model(images.to(weights)), labels)
    return {
        "losses": _means(losses),
        "per_step": _means(per_step),
        "ever": since_start[WINDOW - 1 :: WINDOW],
        "small": torch.tensor(small).nanmean().item(),
        "accuracy": correct,
    }


def _flat(model: nn.Module) -> Tensor:
    """A copy of all weights and biases in one row."""
    return nn.utils.parameters_to_vector(model.parameters()).detach()


def _means(values: list[float]) -> list[float]:
    """The mean of every WINDOW values."""
    return torch.tensor(values).view(-1, WINDOW).mean(dim=1).tolist()


def table(data: dict[str, Any]) -> list[list[str]]:
    steps = data["steps"][0], data["steps"][-1]
    rows = [["weights", "loss", "correct", *(f"change a step, at {step}" for step in steps), "ever changed"]]
    for name, run in data["runs"].items():
        shares = run["per_step"][0], run["per_step"][-1], run["ever"][-1]
        rows.append([name, f"{run['losses'][-1]:.3f}", f"{run['accuracy']:.0%}", *(f"{share:.1%}" for share in shares)])
    return rows


def notice(data: dict[str, Any]) -> str:
    pure, master = data["runs"]["bf16 weights"], data["runs"]["bf16, fp32 master weights"]
    return (
        f"After {data['steps'][-1]} steps bf16 weights are at a loss of {pure['losses'][-1]:.3f}, float32 master "
        f"weights at {master['losses'][-1]:.3f} with the same bf16 arithmetic. Of the bf16 weights "
        f"{pure['ever'][-1]:.0%} have ever changed, of the master weights {master['ever'][-1]:.0%}: "
        f"{master['small']:.0%} of their updates are smaller than 1/{1 / LOST:g} of the weight, and such an update, "
        f"added to a bf16 number, changes nothing."
    )


def draw(data: dict[str, Any]) -> Figure:
    figure, (left, right) = pyplot.subplots(1, 2, figsize=(12, 6))
    for name, run in data["runs"].items():
        style = {"color": COLOURS[name], "linewidth": WIDTHS[name]}
        left.plot(data["steps"], run["losses"], **style, label=name)
        right.plot(data["steps"], [100 * share for share in run["ever"]], **style)
        right.plot(data["steps"], [100 * share for share in run["per_step"]], ":", **style)
    left.set(title="Loss", xlabel="step", ylabel="cross entropy (nats)", ylim=(0, None))
    right.set(title="Weights that change", xlabel="step", ylabel="percent of all weights", ylim=(0, 100))
    _add_line_styles(right)
    figure.legend(*left.get_legend_handles_labels(), loc="outside lower center", ncols=3)
    return figure


def _add_line_styles(axes: Axes) -> None:
    for line, label in (("-", "changed since the start"), (":", "change in a step")):
        axes.plot([], [], line, color=pyplot.rcParams["text.color"], label=label)
    axes.legend(loc="center right")
