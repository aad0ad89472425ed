"""Where the gradients of a deep network lie, and how many of them float16 takes for zero."""

import math
from types import ModuleType
from typing import Any

import torch
from matplotlib import pyplot
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from torch import Tensor, nn
from torch.nn import functional as F

from labkit.experiments.style import FORMATS, ORANGE
from labkit.toolbox.datasets import digits_split
from labkit.toolbox.measure import one_thread
from labkit.toolbox.models import DeepSigmoid

TITLE = "The gradients of six sigmoid layers and a linear one, and what fp16 keeps of them"
BATCH = 1024
POWER = 16  # the loss is multiplied by 2^POWER
NORMAL, SUBNORMAL, LARGEST = -14, -24, 15  # exponents of fp16's smallest normal number, its smallest and its largest
KEPT = SUBNORMAL - 1  # what is below 2^KEPT is nearer to 0 than to fp16's smallest number
BF16_NORMAL, BF16_LARGEST = -126, 127
RUNS = {"fp32": (torch.float32, 1.0), "bf16": (torch.bfloat16, 1.0), "fp16": (torch.float16, 2.0**POWER)}
RUNS |= {"fp16, no scaling": (torch.float16, 1.0)}


def measure(lab: ModuleType) -> dict[str, Any]:
    """Each layer's gradient of the same batch at the same weights: fp32's exponents, and every format's zeros."""
    train_set, _ = digits_split()
    torch.manual_seed(0)
    model = DeepSigmoid()
    images, labels = train_set[torch.randint(len(train_set), (BATCH,))]
    with one_thread():
        gradients = {name: _gradients(lab, model, images, labels, *run) for name, run in RUNS.items()}
    layers = []
    for number, (true, _) in enumerate(gradients["fp32"]):
        exponents, counts = _exponents(true).unique(return_counts=True)
        layers.append(
            {
                "median": true[true != 0].abs().log2().median().item(),
                "exponents": exponents.tolist(),
                "shares": (counts / true.numel()).tolist(),
                "below": _share((true.abs() <= 2.0**KEPT) & (true != 0)),
                "zeros": {name: _share(kept[number][0] == 0) for name, kept in gradients.items()},
                "sample zeros": _share(gradients["fp16, no scaling"][number][1] == 0),
            }
        )
    return {"power": POWER, "blank": _share((images == 0).all(dim=0)), "layers": layers}


def _gradients(
    lab: ModuleType, model: nn.Module, images: Tensor, labels: Tensor, dtype: torch.dtype, scale: float
) -> list[tuple[Tensor, Tensor]]:
    """For each layer the gradients of its weights, and of its outputs, a row a sample; the loss is times `scale`."""
    layers = [layer for layer in model.children() if isinstance(layer, nn.Linear)]
    outputs: list[Tensor] = []
    hooks = [layer.register_forward_hook(lambda _, inputs, output: outputs.append(output)) for layer in layers]
    loss = F.cross_entropy(lab.mixed_precision_forward(model, images, dtype).float(), labels)
    for hook in hooks:
        hook.remove()
    weights = [layer.weight for layer in layers]
    found = [gradient.float() / scale for gradient in torch.autograd.grad(loss * scale, [*weights, *outputs])]
    return list(zip(found[: len(layers)], found[len(layers) :], strict=True))


def _share(chosen: Tensor) -> float:
    return chosen.double().mean().item()


def _exponents(values: Tensor) -> Tensor:
    """floor(log2|value|) of all that are not zero."""
    return torch.frexp(values[values != 0])[1] - 1


def table(data: dict[str, Any]) -> list[list[str]]:
    scaled = f"zero in fp16, loss x 2^{data['power']}"
    rows = [["layer", "median", f"below 2^{KEPT}", "zero in fp32", "in bf16", "in fp16", scaled]]
    for number, layer in enumerate(data["layers"], start=1):
        zeros = [layer["zeros"][name] for name in ("fp32", "bf16", "fp16, no scaling", "fp16")]
        rows.append([str(number), f"2^{layer['median']:.1f}", *(f"{share:.1%}" for share in (layer["below"], *zeros))])
    return rows


def notice(data: dict[str, Any]) -> str:
    first = data["layers"][0]
    zeros = {name: f"{share:.0%}" for name, share in first["zeros"].items()}
    lines = [
        f"In the first layer the median gradient has the size 2^{first['median']:.1f} (zeros left out); fp16's "
        f"smallest number is 2^{SUBNORMAL}. Of all gradients of that layer {zeros['fp16, no scaling']} are zero in "
        f"fp16, {zeros['fp16']} with the loss times 2^{data['power']}, and {zeros['fp32']} in fp32: "
        f"{data['blank']:.0%} of the pixels are blank in the whole batch, and the gradients of their weights are true "
        f"zeros."
    ]
    lost = [layer["zeros"]["fp16, no scaling"] - layer["zeros"]["fp32"] for layer in data["layers"]]
    surplus = [share - layer["below"] for share, layer in zip(lost, data["layers"], strict=True)]
    number = surplus.index(max(surplus))
    layer = data["layers"][number]
    if surplus[number] > 0.1:
        lines.append(
            f"fp16 loses more than the sizes say: of layer {number + 1} {layer['below']:.0%} are too small for it, but "
            f"{lost[number]:.0%} are lost. A weight's gradient is a sum over samples, and of the gradients of the "
            f"single samples, which backward passes on, {layer['sample zeros']:.2%} are zero there."
        )
    return " ".join(lines)


def draw(data: dict[str, Any]) -> Figure:
    figure, (left, right) = pyplot.subplots(1, 2, figsize=(12, 7.5), sharey=True, width_ratios=[2, 1])
    lowest = min(min(layer["exponents"]) for layer in data["layers"])
    left.set(xlim=(lowest - 3, LARGEST + 3), ylim=(len(data["layers"]) - 0.4, -3.5), xlabel="size of the gradient")
    left.xaxis.set_major_formatter(lambda exponent, _: f"$2^{{{exponent:g}}}$")
    left.set_title("Gradients by size, as fp32 has them")
    left.grid(False, axis="y")
    _draw_ranges(left, data["power"])
    _draw_histograms(left, data["layers"])
    _draw_zeros(right, data)
    figure.legend(*left.get_legend_handles_labels(), loc="outside lower center", ncols=3)
    names = ["bf16", f"fp16, {_scaled(data)}", "fp16, no scaling"]
    left.set_yticks(range(-3, len(data["layers"])), names + [f"layer {row + 1}" for row in range(len(data["layers"]))])
    return figure


def _draw_ranges(axes: Axes, power: int) -> None:
    """A bar for each format above the histograms; loss scaling moves fp16's to where the gradients are."""
    low, high = axes.get_xlim()
    axes.barh(-3, high - low, 0.5, low, color=FORMATS["bf16"])
    reach = f"normal from $2^{{{BF16_NORMAL}}}$ to $2^{{{BF16_LARGEST + 1}}}$, far beyond both edges"
    axes.text((low + high) / 2, -3, reach, color="white", ha="center", va="center", fontsize=12.5)
    for row, name, shift in ((-2, "fp16", power), (-1, "fp16, no scaling", 0)):
        subnormal, normal, end = SUBNORMAL - shift, NORMAL - shift, LARGEST + 1 - shift
        axes.barh(row, normal - subnormal, 0.5, subnormal, color=FORMATS[name], alpha=0.4)
        axes.barh(row, end - normal, 0.5, normal, color=FORMATS[name])
        axes.text((subnormal + normal) / 2, row, "subnormal", ha="center", va="center", fontsize=12.5)
        axes.text((normal + end) / 2, row, "normal", color="white", ha="center", va="center", fontsize=12.5)


def _draw_histograms(axes: Axes, layers: list[dict[str, Any]]) -> None:
    """One for each layer, the first on top, coloured by what fp16 without scaling makes of numbers of that size."""
    parts = {
        f"rounded to 0 in fp16 (below $2^{{{KEPT}}}$)": (FORMATS["fp16, no scaling"], -math.inf, KEPT),
        "subnormal in fp16: fewer digits": (ORANGE, KEPT, NORMAL),
        "normal in fp16": (FORMATS["fp16"], NORMAL, math.inf),
    }
    tallest = max(max(layer["shares"]) for layer in layers)
    for label, (colour, low, high) in parts.items():
        for row, layer in enumerate(layers):
            shares = [(e, s) for e, s in zip(layer["exponents"], layer["shares"], strict=True) if low <= e < high]
            for exponent, share in shares:
                axes.bar(exponent, -0.85 * share / tallest, 1, row + 0.4, align="edge", color=colour)
        axes.bar(0, 0, color=colour, label=label)
    for edge in (KEPT, NORMAL):
        axes.vlines(edge, -0.7, len(layers) - 0.4, colors=pyplot.rcParams["text.color"], linestyles=":", linewidth=1.5)


def _draw_zeros(axes: Axes, data: dict[str, Any]) -> None:
    labels = {"fp16, no scaling": "fp16, no scaling", "fp16": f"fp16, {_scaled(data)}", "fp32": "fp32"}
    for place, (name, label) in enumerate(labels.items(), start=-1):
        rows = [row + 0.27 * place for row in range(len(data["layers"]))]
        shares = [100 * layer["zeros"][name] for layer in data["layers"]]
        axes.barh(rows, shares, 0.25, color=FORMATS[name], label=label)
    axes.set(xlim=(0, 100), xlabel="percent of the layer's gradients", title="Gradients that are exactly zero")
    axes.tick_params(axis="y", labelleft=False, length=0)
    axes.grid(False, axis="y")
    axes.legend(loc="upper right")


def _scaled(data: dict[str, Any]) -> str:
    return f"loss x $2^{{{data['power']}}}$"
