"""In which dtype each part of a model computes, there and back: the audit as a map of a transformer block."""

from collections.abc import Callable, Iterator
from types import ModuleType
from typing import Any

import torch
from matplotlib import pyplot
from matplotlib.figure import Figure
from matplotlib.patches import FancyBboxPatch, Patch
from torch import Tensor, nn
from torch.autograd.graph import Node
from torch.utils._pytree import tree_iter

from labkit.experiments.style import FORMATS, ORANGE
from labkit.labs.mixed_precision.audit import MOVES, Recorder
from labkit.labs.mixed_precision.steps import TokenCrossEntropy
from labkit.labs.mixed_precision.training import DTYPES
from labkit.toolbox.models import SmallTransformer

TITLE = "Who computes in which dtype: a training step of a transformer block under fp16 autocast"
DTYPE = "fp16"
SIZE = {"vocab_size": 64, "dim": 64, "num_layers": 1, "num_heads": 4, "max_len": 32}
BATCH = 8
SILENT = MOVES | {"_unsafe_view", "stack"}  # compute nothing
SCALING, UPDATE = "loss scale", "update"
SHORT = {"float32": "fp32", "float16": "fp16", "bfloat16": "bf16"}
INK = "#101010"  # on the boxes, whose colours are the same in both themes


class Map:
    """Sets a recorder's part to where it is, "forward" or "backward" and the place; keeps the places in order.

    What a module does itself between two of its children is a place too.
    """

    def __init__(self, recorder: Recorder, model: nn.Module, criterion: nn.Module) -> None:
        self.recorder = recorder
        self.places: list[str] = []
        self._open: list[str] = []
        self._nodes: set[Node] = set()
        named = [*model.named_modules(), ("criterion", criterion)]
        self._hooks = [module.register_forward_pre_hook(self._enters(name)) for name, module in named]
        self._hooks += [module.register_forward_hook(self._leaves) for _, module in named]
        self._hooks += recorder.watch(model.parameters())

    def remove(self) -> None:
        for hook in self._hooks:
            hook.remove()

    def _enters(self, name: str) -> Callable[[nn.Module, Any], None]:
        def enters(module: nn.Module, inputs: Any) -> None:
            self._claim(inputs)
            self._open.append(name)
            self._begin(name)

        return enters

    def _leaves(self, module: nn.Module, inputs: Any, output: Any) -> None:
        self._claim(output)
        name = self._open.pop()
        self._begin(f"after {name}" if name != "criterion" else SCALING)

    def _begin(self, place: str) -> None:
        self.places.append(place)
        self.recorder.part = f"forward {place}"

    def _claim(self, values: object) -> None:
        """The nodes of the graph that came since the last call belong to the current place, on the way back too."""
        if not self.places:
            return
        place = self.places[-1]

        def on_the_way_back(_: object) -> None:
            self.recorder.part = f"backward {place}"

        for node in _graph(values, self._nodes):
            self._nodes.add(node)
            node.register_prehook(on_the_way_back)


def _graph(values: object, known: set[Node]) -> Iterator[Node]:
    """The nodes that `values` were computed by, those behind known ones left out; leaves compute nothing."""
    waiting = [value.grad_fn for value in tree_iter(values) if isinstance(value, Tensor)]
    while waiting:
        node = waiting.pop()
        if node is not None and node not in known and node.name() != "torch::autograd::AccumulateGrad":
            yield node
            waiting += [following for following, _ in node.next_functions]


def measure(lab: ModuleType) -> dict[str, Any]:
    """The second training step, place by place: the operations that computed, and in which dtypes."""
    torch.manual_seed(0)
    model, criterion = SmallTransformer(**SIZE), TokenCrossEntropy()
    optimizer = torch.optim.AdamW(model.parameters())
    trainer = lab.MixedPrecisionTrainer(model, dtype=DTYPES[DTYPE])
    batch = tuple(torch.randint(SIZE["vocab_size"], (BATCH, SIZE["max_len"])) for _ in range(2))
    trainer.train_step(batch, optimizer, criterion)
    recorder = Recorder("cpu")
    map_ = Map(recorder, model, criterion)
    with recorder:
        trainer.train_step(batch, optimizer, criterion)
    map_.remove()
    kinds = {name: type(module).__name__ for name, module in model.named_modules()}
    places = []
    for place in map_.places:
        ways = {way: _computed(recorder, f"{way} {place}") for way in ("forward", "backward")}
        if ways["forward"]["operations"] and place != SCALING:
            places.append({"place": place, "kind": kinds.get(place, ""), **ways})
    scaling, update = _computed(recorder, f"forward {SCALING}"), _computed(recorder, UPDATE)
    return {"dtype": DTYPE, "places": places, SCALING: scaling, UPDATE: update}


def _computed(recorder: Recorder, part: str) -> dict[str, Any]:
    """The operations at a place, without those that only move values, and how many calls computed in which dtype."""
    operations: list[str] = []
    calls: dict[str, int] = {}
    for operation in recorder.operations.values():
        if operation.part == part and operation.name not in SILENT:
            operations.append(operation.name)
            dtype = _computed_in(operation.dtypes)
            calls[dtype] = calls.get(dtype, 0) + operation.calls
    return {"operations": list(dict.fromkeys(operations)), "calls": calls}


def _computed_in(dtypes: str) -> str:
    """The dtype that an operation both read and wrote: a sum of a half and a float32 tensor is a float32 sum."""
    read, _, written = dtypes.partition(" -> ")
    both = [dtype for dtype in read.split(", ") if dtype in (written or read).split(", ")]
    return SHORT.get(both[0], both[0]) if both else dtypes


def _dtype(ran: dict[str, Any]) -> str:
    """The dtype of most calls at a place."""
    return max(ran["calls"], key=ran["calls"].__getitem__, default="no dtype")


def _name(place: dict[str, Any]) -> str:
    if place["place"].startswith("after "):  # what the module around does itself
        return ", ".join(_short(operation) for operation in place["forward"]["operations"])
    return f"{place['kind']} {place['place'].removeprefix('blocks.0.')}".strip()


def _short(operation: str) -> str:
    if "scaled_dot_product" in operation:
        return "attention"
    for end in ("_data", "_backward", "_forward"):
        operation = operation.removesuffix(end)
    return operation.strip("_").removeprefix("native_")


def _words(ran: dict[str, Any]) -> str:
    """The operations, or how many calls of them there were in their dtype if they are many."""
    if len(ran["operations"]) <= 3:
        return ", ".join(_short(operation) for operation in ran["operations"])
    of_this, of_all = ran["calls"][_dtype(ran)], sum(ran["calls"].values())
    return f"{of_all} operations" if of_this == of_all else f"{of_this} of {of_all} operations"


def table(data: dict[str, Any]) -> list[list[str]]:
    rows = [["place", "forward", "in", "backward", "in"]]
    for place in data["places"]:
        cells = [cell for way in ("forward", "backward") for cell in _cells(place[way])]
        rows.append([_name(place), *cells])
    for name in (SCALING, UPDATE):
        rows.append([name, *_cells(data[name]), "", ""])
    return rows


def _cells(ran: dict[str, Any]) -> tuple[str, str]:
    return (_words(ran), _dtype(ran)) if ran["calls"] else ("", "")


def notice(data: dict[str, Any]) -> str:
    kinds: dict[str, list[str]] = {}
    for place in data["places"]:
        name = place["kind"] or _name(place)
        kinds.setdefault(_dtype(place["forward"]), []).append(name)
    ran = "; ".join(f"in {dtype} {', '.join(dict.fromkeys(names))}" for dtype, names in kinds.items())
    there_and_back = [place for place in data["places"] if place["backward"]["calls"]]
    same = [place for place in there_and_back if _dtype(place["forward"]) == _dtype(place["backward"])]
    back = "each" if len(same) == len(there_and_back) else f"{len(same)} of {len(there_and_back)}"
    return (
        f"Forward ran: {ran}. On the way back {back} computed in the dtype of its forward. The update ran in "
        f"{_dtype(data[UPDATE])}."
    )


def draw(data: dict[str, Any]) -> Figure:
    """Forward on the left, read downwards, backward on the right, read upwards; between them the places."""
    figure, axes = pyplot.subplots(figsize=(10, 9))
    bottom = len(data["places"]) + 1
    for row, place in enumerate(data["places"], start=1):
        for left, way in ((0.0, "forward"), (6.8, "backward")):
            _box(axes, left, row, 3.2, place[way])
        axes.text(5, row, _name(place), ha="center", va="center", fontsize=12.5)
    _box(axes, 0, 0, 10, data[UPDATE], "update of the weights: ")
    _box(axes, 0, bottom, 10, data[SCALING], "loss scale: ")
    arrow = {"arrowstyle": "-|>", "color": pyplot.rcParams["text.color"], "linewidth": 2, "mutation_scale": 20}
    for x, begin, end, way in ((-0.45, 0.6, bottom - 0.6, "forward"), (10.45, bottom - 0.6, 0.6, "backward")):
        axes.annotate("", (x, end), (x, begin), arrowprops=arrow)
        axes.text(x - 0.35 if x < 0 else x + 0.35, bottom / 2, way, rotation=90, ha="center", va="center")
    axes.set(xlim=(-1.1, 11.1), ylim=(bottom + 0.5, -0.5))
    axes.axis("off")
    shown = {_dtype(place[way]) for place in data["places"] for way in ("forward", "backward") if place[way]["calls"]}
    patches = [Patch(color=colour, label=f"computed in {name}") for name, colour in FORMATS.items() if name in shown]
    figure.legend(handles=patches, loc="outside lower center", ncols=len(patches))
    return figure


def _box(axes: pyplot.Axes, left: float, row: int, width: float, ran: dict[str, Any], before: str = "") -> None:
    """A box in the colour of its dtype; an empty one where nothing is computed."""
    colour = FORMATS.get(_dtype(ran), ORANGE) if ran["calls"] else "none"
    edge = pyplot.rcParams["grid.color"] if colour == "none" else colour
    shape = "round,pad=0,rounding_size=0.12"
    axes.add_patch(FancyBboxPatch((left, row - 0.4), width, 0.8, shape, facecolor=colour, edgecolor=edge))
    words = f"{before}{_words(ran)}, {_dtype(ran)}" if ran["calls"] else "nothing to compute"
    ink = INK if ran["calls"] else pyplot.rcParams["xtick.color"]
    axes.text(left + width / 2, row, words, ha="center", va="center", color=ink, fontsize=12.5)
