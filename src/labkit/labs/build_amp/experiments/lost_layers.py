"""Which share of each layer's gradient float16 loses, by the loss scale, and what `classify` says of it."""

from types import ModuleType
from typing import Any

import torch
from matplotlib import pyplot
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.figure import Figure
from torch import Tensor, nn
from torch.nn import functional as F

from labkit.experiments.style import GREY, VERMILION
from labkit.toolbox.datasets import digits_split
from labkit.toolbox.emulation import EmulatedHalf
from labkit.toolbox.measure import one_thread
from labkit.toolbox.models import DeepSigmoid

TITLE = "The gradient of each of seven layers in fp16, by the loss scale"
BATCH = 1024
POWERS = tuple(range(0, 29, 2))  # the loss is multiplied by 2^power
LIMIT = 0.05  # of classify: the share above which a gradient underflows
SHADES = LinearSegmentedColormap.from_list("lost", ["#ffffff", VERMILION])


def measure(lab: ModuleType) -> dict[str, Any]:
    """For each scale and layer: the share of non-zero entries that an emulated backward loses, None if one is inf."""
    train_set, _ = digits_split()
    torch.manual_seed(0)
    model = DeepSigmoid()
    images, labels = train_set[torch.randint(len(train_set), (BATCH,))]
    with one_thread():
        true = _gradients(model, model, images, labels, 1.0)
        half = EmulatedHalf(model)
        scales = [2.0**power for power in POWERS]
        lost = [_lost(true, _gradients(half, model, images, labels, scale)) for scale in scales]
        said = [list(lab.classify(true, torch.float16, scale, LIMIT).values()) for scale in scales]
    return {"powers": POWERS, "layers": len(true), "lost": lost, "said": said}


def _gradients(network: nn.Module, model: nn.Module, images: Tensor, labels: Tensor, scale: float) -> dict[str, Tensor]:
    """The scaled gradient of every layer's weights, by their name."""
    weights = {name: weight for name, weight in model.named_parameters() if name.endswith("weight")}
    loss = F.cross_entropy(network(images), labels) * scale
    return dict(zip(weights, torch.autograd.grad(loss, list(weights.values())), strict=True))


def _lost(true: dict[str, Tensor], kept: dict[str, Tensor]) -> list[float | None]:
    return [
        (kept[name][one != 0] == 0).double().mean().item() if kept[name].isfinite().all() else None
        for name, one in true.items()
    ]


def table(data: dict[str, Any]) -> list[list[str]]:
    rows = [["loss x", *(f"{number + 1}" for number in range(data["layers"]))]]
    for power, lost, said in zip(data["powers"], data["lost"], data["said"], strict=True):
        cells = [f"{_text(share)}{'' if kind == 'ok' else ' *'}" for share, kind in zip(lost, said, strict=True)]
        rows.append([f"2^{power}", *cells])
    return rows


def _text(share: float | None) -> str:
    return "inf" if share is None else f"{100 * share:.0f}"


def notice(data: dict[str, Any]) -> str:
    first, said = data["lost"][0], data["said"][0]
    losing = [number for number, share in enumerate(first, start=1) if share is not None and share > LIMIT]
    found = [number for number, kind in enumerate(said, start=1) if kind == "underflow"]
    clean = [power for power, lost in zip(data["powers"], data["lost"], strict=True) if _clean(lost)]
    overflowing = next(power for power, lost in zip(data["powers"], data["lost"], strict=True) if None in lost)
    return (
        f"Without loss scaling (2^0) more than {LIMIT:.0%} of the gradient became zero in {_named(losing)}, and "
        f"{first[0]:.0%} of it in layer 1. From 2^{clean[0]} to 2^{clean[-1]} it is less than 1% in every layer; from "
        f"2^{overflowing} on a gradient is inf. `classify` with a limit of {LIMIT} finds underflow in {_named(found)} "
        f"at 2^0: it rounds the true gradients, and does not see what is lost on the way back through the layers."
    )


def _clean(lost: list[float | None]) -> bool:
    return all(share is not None and share < 0.01 for share in lost)


def _named(numbers: list[int]) -> str:
    listed = " and ".join(filter(None, [", ".join(map(str, numbers[:-1])), *map(str, numbers[-1:])]))
    return f"layer{'s' if len(numbers) > 1 else ''} {listed}" if listed else "no layer"


def draw(data: dict[str, Any]) -> Figure:
    figure, axes = pyplot.subplots(figsize=(12, 5.5))
    for column, (lost, said) in enumerate(zip(data["lost"], data["said"], strict=True)):
        for row, (share, kind) in enumerate(zip(lost, said, strict=True)):
            colour = GREY if share is None else SHADES(share)
            axes.add_patch(pyplot.Rectangle((column - 0.48, row - 0.46), 0.96, 0.92, color=colour))
            axes.text(column, row, _text(share), color="black", ha="center", va="center")
            if kind == "underflow":
                axes.add_patch(_box(column, row, "black"))
    columns, rows = len(data["powers"]), data["layers"]
    axes.set(xlim=(-0.5, columns - 0.5), ylim=(rows - 0.5, -0.5), xlabel="the loss is multiplied by")
    axes.set_xticks(range(len(data["powers"])), [f"$2^{{{power}}}$" for power in data["powers"]])
    axes.set_yticks(range(data["layers"]), [f"layer {number + 1}" for number in range(data["layers"])])
    axes.set_title("Percent of the layer's gradient that became zero, or inf")
    axes.grid(False)
    axes.tick_params(length=0)
    axes.spines[["left", "bottom"]].set_visible(False)
    box = _box(0, 0, pyplot.rcParams["text.color"])
    figure.legend([box], ["classify says underflow"], loc="outside lower center")
    return figure


def _box(column: int, row: int, colour: str) -> pyplot.Rectangle:
    return pyplot.Rectangle((column - 0.4, row - 0.36), 0.8, 0.72, fill=False, edgecolor=colour, linewidth=2)
