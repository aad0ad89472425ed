"""How many casts of a weight, and of its gradient, the cache of an autocast region saves."""

from collections.abc import Callable
from types import ModuleType
from typing import Any

import torch
from matplotlib import pyplot
from matplotlib.figure import Figure
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode

from labkit.experiments.style import BLUE, VERMILION
from labkit.toolbox.measure import one_thread

TITLE = "One layer used many times: casts of its weight and gradient (bf16)"
USES = (1, 2, 4, 8, 16, 32)
WIDTH, BATCH = 512, 4
ONE_REGION, REGIONS = "one region, cached", "a region for each use"
COLOURS = {ONE_REGION: BLUE, REGIONS: VERMILION}


class _WeightCasts(TorchDispatchMode):
    """Counts the casts of tensors that are as large as the weight: of itself forward, of its gradient backward."""

    count = 0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        result = func(*args, **(kwargs or {}))
        if func is torch.ops.aten._to_copy.default and args[0].shape == (WIDTH, WIDTH):
            self.count += args[0].dtype != result.dtype
        return result


def measure(lab: ModuleType) -> dict[str, Any]:
    """For every number of uses, in one region and in a region for each: casts in a forward and in a backward pass."""
    torch.manual_seed(0)
    layer, inputs = nn.Linear(WIDTH, WIDTH), torch.randn(max(USES), BATCH, WIDTH)
    runs: dict[str, list[tuple[int, int]]] = {ONE_REGION: [], REGIONS: []}
    with one_thread():
        for uses in USES:
            for name, forward in _passes(lab, layer, list(inputs[:uses])).items():
                with _WeightCasts() as there:
                    outputs = forward()
                with _WeightCasts() as back:
                    outputs.float().sum().backward()
                runs[name].append((there.count, back.count))
    return {"uses": USES, "width": WIDTH, "runs": runs}


def _passes(lab: ModuleType, layer: nn.Linear, parts: list[Tensor]) -> dict[str, Callable[[], Tensor]]:
    def one_region() -> Tensor:
        with lab.Autocast(torch.bfloat16):
            return torch.stack([layer(part) for part in parts])

    def regions() -> Tensor:
        outputs = []
        for part in parts:
            with lab.Autocast(torch.bfloat16):
                outputs.append(layer(part))
        return torch.stack(outputs)

    return {ONE_REGION: one_region, REGIONS: regions}


def table(data: dict[str, Any]) -> list[list[str]]:
    rows = [["uses", *(f"{way}, {name}" for name in ("one region", "regions") for way in ("forward", "backward"))]]
    for number, uses in enumerate(data["uses"]):
        rows.append([str(uses), *(str(casts) for run in data["runs"].values() for casts in run[number])])
    return rows


def notice(data: dict[str, Any]) -> str:
    cached, uncached = (data["runs"][name][-1] for name in (ONE_REGION, REGIONS))
    return (
        f"Used {data['uses'][-1]} times in one region, the weight is cast {_times(cached[0])} on the way forward and "
        f"its gradient {_times(cached[1])} on the way back: the gradients of a cast are added up before they go to "
        f"float32. With a region for each use it is {_times(uncached[0])} and {_times(uncached[1])}, and the casts of "
        f"this {data['width']} x {data['width']} weight read and write {_mib(data, uncached):.0f} MiB instead of "
        f"{_mib(data, cached):.0f}."
    )


def _times(count: int) -> str:
    return "once" if count == 1 else f"{count} times"


def _mib(data: dict[str, Any], casts: tuple[int, int]) -> float:
    """What the casts read and write: 4 bytes of float32 and 2 of bfloat16 for each entry."""
    return sum(casts) * (4 + 2) * data["width"] ** 2 / 2**20


def draw(data: dict[str, Any]) -> Figure:
    figure, (left, right) = pyplot.subplots(1, 2, figsize=(12, 5.5))
    for name, run in data["runs"].items():
        left.plot(data["uses"], [sum(casts) for casts in run], "o-", color=COLOURS[name], label=name)
        right.plot(data["uses"], [_mib(data, casts) for casts in run], "o-", color=COLOURS[name])
    left.set(title="Casts of the weight and its gradient", ylabel="casts, forward and backward", ylim=(0, None))
    right.set(title="Memory that they read and write", ylabel="MiB", ylim=(0, None))
    for axes in (left, right):
        axes.set(xlabel="uses of the layer", xticks=(1, *data["uses"][3:]))
    figure.legend(*left.get_legend_handles_labels(), loc="outside lower center", ncols=2)
    return figure
