"""How many casts of a weight the cache of an autocast region saves, and what they cost."""

from collections.abc import Callable
from types import ModuleType
from typing import Any

import torch
from matplotlib import pyplot
from matplotlib.figure import Figure
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode

from labkit.experiments.style import BLUE, VERMILION
from labkit.toolbox.measure import interleaved_medians, one_thread

TITLE = "One layer used many times in a forward pass: casts of its weight, and time (bf16)"
USES = (1, 2, 4, 8, 16, 32)
WIDTH, BATCH = 512, 4
REPEATS = 60
ONE_REGION, REGIONS = "one region, cached", "a region for each use"
COLOURS = {ONE_REGION: BLUE, REGIONS: VERMILION}


class _WeightCasts(TorchDispatchMode):
    """Counts the casts to bfloat16 of float32 tensors that are as large as the weight."""

    count = 0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        result = func(*args, **(kwargs or {}))
        if func is torch.ops.aten._to_copy.default and args[0].shape == (WIDTH, WIDTH):
            self.count += args[0].dtype == torch.float32 and result.dtype == torch.bfloat16
        return result


def measure(lab: ModuleType) -> dict[str, Any]:
    """For every number of uses, in one region and in a region for each: casts in a forward pass, seconds of a step."""
    torch.manual_seed(0)
    layer, inputs = nn.Linear(WIDTH, WIDTH), torch.randn(max(USES), BATCH, WIDTH)
    runs: dict[str, list[tuple[int, float]]] = {ONE_REGION: [], REGIONS: []}
    with one_thread():
        for uses in USES:
            passes = _passes(lab, layer, list(inputs[:uses]))
            seconds = interleaved_medians({name: _step(layer, one) for name, one in passes.items()}, repeats=REPEATS)
            for name, forward in passes.items():
                with _WeightCasts() as casts:
                    forward()
                runs[name].append((casts.count, seconds[name]))
    return {"uses": USES, "runs": runs}


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


def _step(layer: nn.Linear, forward: Callable[[], Tensor]) -> Callable[[], None]:
    def step() -> None:
        layer.zero_grad()
        forward().float().sum().backward()

    return step


def table(data: dict[str, Any]) -> list[list[str]]:
    rows = [["uses", "casts, cached", "casts, not", "ms, cached", "ms, not"]]
    for number, uses in enumerate(data["uses"]):
        points = [run[number] for run in data["runs"].values()]
        rows.append([str(uses), *(str(casts) for casts, _ in points), *(f"{1e3 * time:.2f}" for _, time in points)])
    return rows


def notice(data: dict[str, Any]) -> str:
    (cached, fast), (casts, slow) = (data["runs"][name][-1] for name in (ONE_REGION, REGIONS))
    return (
        f"Used {data['uses'][-1]} times in one region, the weight is cast {_times(cached)}; with a region for each use "
        f"it is cast {_times(casts)}, and forward and backward take {slow / fast:.1f} times as long. The backward pass "
        f"saves as much: the gradients of one cast are added up, and go back to float32 together."
    )


def _times(count: int) -> str:
    return "once" if count == 1 else f"{count} times"


def draw(data: dict[str, Any]) -> Figure:
    figure, (left, right) = pyplot.subplots(1, 2, figsize=(12, 5.5))
    for name, run in data["runs"].items():
        casts, seconds = zip(*run, strict=True)
        left.plot(data["uses"], casts, "o-", color=COLOURS[name], label=name)
        ratios = [time / cached for time, (_, cached) in zip(seconds, data["runs"][ONE_REGION], strict=True)]
        right.plot(data["uses"], ratios, "o-", color=COLOURS[name])
    left.set(title="Casts of the weight", ylabel="casts in a forward pass", ylim=(0, None))
    right.set(title="Time of forward and backward", ylabel="times that of one region", ylim=(0, None))
    for axes in (left, right):
        axes.set(xlabel="uses of the layer", xticks=(1, *data["uses"][3:]))
    figure.legend(*left.get_legend_handles_labels(), loc="outside lower center", ncols=2)
    return figure
