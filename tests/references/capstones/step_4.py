"""Drawn inputs of step 4, images, and plain formulas of what is right."""

from collections.abc import Iterable

import torch
from torch import Tensor
from torch.nn import functional as F

from labkit.judge.draw import Draw

MOMENTUM, EPS = 0.1, 1e-5  # of nn.BatchNorm2d


def drawn_norm(draw: Draw, channels: int) -> dict[str, Tensor]:
    return {
        "weight": draw.away_from_zero(channels),
        "bias": draw.normal(channels, scale=0.5),
        "running_mean": draw.normal(channels, scale=0.5),
        "running_var": draw.away_from_zero(channels).abs(),
    }


def _under(name: str, state: dict[str, Tensor]) -> dict[str, Tensor]:
    return {f"{name}.{key}": value for key, value in state.items()}


def drawn_conv(draw: Draw, out: int, into: int, size: int) -> Tensor:
    return draw.normal(out, into, size, size, scale=(into * size * size) ** -0.5)


def drawn_block(draw: Draw, into: int, out: int, stride: int = 1) -> dict[str, Tensor]:
    """The state of a ResidualBlock."""
    state = {"conv1.weight": drawn_conv(draw, out, into, 3), "conv2.weight": drawn_conv(draw, out, out, 3)}
    for name in ("norm1", "norm2"):
        state |= _under(name, drawn_norm(draw, out))
    if stride != 1 or into != out:
        state |= {"shortcut.0.weight": drawn_conv(draw, out, into, 1)} | _under("shortcut.1", drawn_norm(draw, out))
    return state


def norm(x: Tensor, state: dict[str, Tensor], name: str, training: bool, learnt: dict[str, Tensor]) -> Tensor:
    """Batch norm of float64 x; in training `learnt` gets the running statistics afterwards."""
    prefix = f"{name}." if name else ""
    weight, bias, mean, var = (
        state[f"{prefix}{part}"].double() for part in ("weight", "bias", "running_mean", "running_var")
    )
    if training:
        values = x.detach().transpose(0, 1).flatten(1)
        learnt[f"{prefix}running_mean"] = (1 - MOMENTUM) * mean + MOMENTUM * values.mean(dim=1)
        learnt[f"{prefix}running_var"] = (1 - MOMENTUM) * var + MOMENTUM * values.var(dim=1, correction=1)
        mean, var = x.mean(dim=(0, 2, 3)), x.var(dim=(0, 2, 3), correction=0)
    mean, var, weight, bias = (value.view(1, -1, 1, 1) for value in (mean, var, weight, bias))
    return (x - mean) / (var + EPS).sqrt() * weight + bias


def block(
    x: Tensor, state: dict[str, Tensor], stride: int = 1, training: bool = False
) -> tuple[Tensor, dict[str, Tensor]]:
    """The output of a ResidualBlock in float64, and its running statistics if it learns any."""
    learnt: dict[str, Tensor] = {}
    x = x.double()
    hidden = F.conv2d(x, state["conv1.weight"].double(), stride=stride, padding=1)
    hidden = norm(hidden, state, "norm1", training, learnt).clamp(min=0)
    hidden = norm(F.conv2d(hidden, state["conv2.weight"].double(), padding=1), state, "norm2", training, learnt)
    if "shortcut.0.weight" in state:
        x = F.conv2d(x, state["shortcut.0.weight"].double(), stride=stride)
        x = norm(x, state, "shortcut.1", training, learnt)
    return (hidden + x).clamp(min=0), learnt


def drawn_resnet(draw: Draw, width: int, classes: int) -> dict:
    return {
        "stem": {"weight": drawn_conv(draw, width, 1, 3)},
        "norm": drawn_norm(draw, width),
        "blocks": [
            drawn_block(draw, width, width),
            drawn_block(draw, width, 2 * width, 2),
            drawn_block(draw, 2 * width, 4 * width, 2),
        ],
        "head": {"weight": draw.normal(classes, 4 * width, scale=0.5), "bias": draw.normal(classes)},
    }


def resnet(x: Tensor, layers: dict) -> Tensor:
    """Logits of small_resnet in eval mode, in float64."""
    x = norm(F.conv2d(x.double(), layers["stem"]["weight"].double(), padding=1), layers["norm"], "", False, {})
    x = x.clamp(min=0)
    for state, stride in zip(layers["blocks"], (1, 2, 2), strict=True):
        x = block(x, state, stride)[0]
    return x.mean(dim=(2, 3)) @ layers["head"]["weight"].double().T + layers["head"]["bias"].double()


def resnet_shapes(width: int = 16, classes: int = 10) -> list[list[int]]:
    """Of all parameters of small_resnet, sorted."""
    shapes = [[width, 1, 3, 3], [width], [width], [classes, 4 * width], [classes]]
    for into, out, shortcut in ((width, width, False), (width, 2 * width, True), (2 * width, 4 * width, True)):
        shapes += [[out, into, 3, 3], [out, out, 3, 3]] + [[out]] * 4
        shapes += [[out, into, 1, 1], [out], [out]] if shortcut else []
    return sorted(shapes)


def drawn_weights(draw: Draw) -> dict[str, Tensor]:
    """Of the scenario's TinyNetwork."""
    head = {"head.weight": draw.away_from_zero(3, 3), "head.bias": draw.normal(3)}
    return {"conv.weight": drawn_conv(draw, 3, 2, 3)} | _under("norm", drawn_norm(draw, 3)) | head


def drawn_batches(draw: Draw, sizes: Iterable[int], classes: int = 3) -> list[list[Tensor]]:
    """Images (n, 2, 4, 5) and labels."""
    return [[draw.normal(size, 2, 4, 5), draw.integers(size, high=classes)] for size in sizes]


def tags(batches: list[list[Tensor]]) -> list[float]:
    """The first number of each batch's inputs, by which the scenarios' models know it."""
    return [float(inputs.flatten()[0]) for inputs, _ in batches]


def drawn_table(draw: Draw, batches: list[list[Tensor]], classes: int = 3) -> list[list[Tensor]]:
    """Logits for each batch that every 16-bit format holds exactly, of a row all different: 8 bits, from -3 to 3."""
    table = []
    for images, _ in batches:
        rows = [draw.shuffled(range(-48, 49))[:classes] for _ in range(len(images))]
        table.append([images, torch.tensor(rows, dtype=torch.float32) / 16])
    return table


def table_loss(logits: Tensor, labels: Tensor) -> float:
    """The summed cross entropy."""
    return -logits.double().log_softmax(dim=1).gather(1, labels[:, None]).sum().item()


def table_right(logits: Tensor, labels: Tensor) -> int:
    return int((logits.argmax(dim=1) == labels).sum())


def logits_gradient(logits: Tensor, labels: Tensor) -> Tensor:
    """Of the mean cross entropy, in float64."""
    return (logits.double().softmax(dim=1) - F.one_hot(labels, logits.shape[1])) / len(labels)


class Run:
    """Plain SGD on the TinyNetwork in float64: state, mean loss and accuracy after each epoch.

    `spoiled` has for each batch, by its index, in which epochs its step is skipped.
    """

    def __init__(
        self,
        weights: dict[str, Tensor],
        train: list[list[Tensor]],
        test: list[list[Tensor]],
        rates: list[float],
        spoiled: list[list[bool]] | None = None,
    ) -> None:
        state = {name: value.double() for name, value in weights.items()}
        trained = [name for name in state if "running" not in name]
        self.states, self.losses, self.accuracies = [], [], []
        samples = sum(len(labels) for _, labels in train)
        for epoch, rate in enumerate(rates[:-1]):
            total = 0.0
            for index, (images, labels) in enumerate(train):
                leaves = {name: state[name].clone().requires_grad_() for name in trained}
                logits, learnt = _logits(images, state | leaves, training=True)
                loss = F.cross_entropy(logits, labels)
                total += loss.item() * len(labels)
                gradients = torch.autograd.grad(loss, list(leaves.values()))
                state = state | learnt
                if not (spoiled and spoiled[index][epoch]):
                    state |= {
                        name: state[name] - rate * gradient for name, gradient in zip(trained, gradients, strict=True)
                    }
            right = sum(table_right(_logits(images, state)[0], labels) for images, labels in test)
            self.states.append(state)
            self.losses.append(total / samples)
            self.accuracies.append(right / sum(len(labels) for _, labels in test))


def _logits(images: Tensor, state: dict[str, Tensor], training: bool = False) -> tuple[Tensor, dict[str, Tensor]]:
    learnt: dict[str, Tensor] = {}
    hidden = F.conv2d(images.double(), state["conv.weight"], padding=1)
    hidden = torch.tanh(norm(hidden, state, "norm", training, learnt)).mean(dim=(2, 3))
    return hidden @ state["head.weight"].T + state["head.bias"], learnt
