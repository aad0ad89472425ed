"""Which rank holds how many bytes of parameters, gradients and optimizer state: one process, DDP and FSDP2."""

from collections.abc import Iterable
from pathlib import Path
from types import ModuleType

import torch
from matplotlib import pyplot
from matplotlib.figure import Figure
from torch import Tensor, nn
from torch.distributed.tensor import DTensor

from labkit.course.errors import LabError
from labkit.course.loading import load_implementation
from labkit.observe.answer import Answer, Ending
from labkit.observe.rank_group import Shape
from labkit.observe.ranks import RankServer
from labkit.toolbox.models import WideMLP
from labkit.toolbox.plots import BLUE, GREEN, VERMILION

TITLE = "Bytes that each rank holds between two steps of AdamW (wide MLP, fp16)"
RANKS = 2
WAYS = {"one process": (None, 1), "DDP": ("ddp", RANKS), "FSDP2": ("fsdp", RANKS)}
PARTS = {"parameters": BLUE, "gradients": GREEN, "optimizer state": VERMILION}

Held = dict[str, list[dict[str, int]]]  # way -> for each rank, part -> bytes


def measure(lab: ModuleType) -> Held:
    """What each rank holds between two steps of AdamW on WideMLP in float16. Raises LabError if a rank fails."""
    server = RankServer(_held_by_this_rank, "cpu", clean=False)
    try:
        held: Held = {}
        for way, (strategy, size) in WAYS.items():
            answers = server.run([lab.__file__, strategy], Shape(size))
            for rank, answer in enumerate(answers):
                if answer.ending != Ending.RETURNED:
                    raise LabError(f"{way}, rank {rank}: {answer.raised or answer.says}")
            held[way] = [answer.value for answer in answers]
        return held
    finally:
        server.close()


def _held_by_this_rank(job: list) -> Answer:
    file, strategy = job
    lab = load_implementation(Path(file))
    torch.manual_seed(0)
    model: nn.Module = WideMLP()
    if strategy == "ddp":
        model = lab.wrap_ddp(model)
    elif strategy == "fsdp":
        model = lab.wrap_fsdp(model, torch.float16)
    optimizer = torch.optim.AdamW(model.parameters())
    trainer = lab.MixedPrecisionTrainer(model, dtype=torch.float16)
    batch = torch.randn(8, 784), torch.randint(10, (8,))
    while trainer.train_step(batch, optimizer, nn.CrossEntropyLoss())[1]:
        pass  # a skipped step makes no optimizer state
    parameters = list(model.parameters())
    return Answer(
        {
            "parameters": _bytes(parameters),
            "gradients": _bytes(parameter.grad for parameter in parameters if parameter.grad is not None),
            "optimizer state": _bytes(
                entry for state in optimizer.state.values() for entry in state.values() if isinstance(entry, Tensor)
            ),
        }
    )


def _bytes(tensors: Iterable[Tensor]) -> int:
    """The memory behind `tensors` in this process, each storage once; of a DTensor its local part."""
    storages = {}
    for tensor in tensors:
        storage = (tensor.to_local() if isinstance(tensor, DTensor) else tensor).untyped_storage()
        storages[storage.data_ptr()] = storage.nbytes()
    return sum(storages.values())


def table(held: Held) -> list[list[str]]:
    rows = [["rank", *(f"{part}, MiB" for part in PARTS)]]
    return rows + [[name, *(f"{parts[part] / 2**20:.1f}" for part in PARTS)] for name, parts in _ranks(held)]


def notice(held: Held) -> str:
    whole, ddp, fsdp = (sum(held[way][0].values()) / 2**20 for way in WAYS)
    return (
        f"One process holds {whole:.1f} MiB. Each of {RANKS} DDP ranks holds {ddp:.1f} MiB, each of {RANKS} FSDP2 "
        f"ranks {fsdp:.1f} MiB: FSDP2 splits parameters, gradients and optimizer state, DDP repeats them."
    )


def draw(held: Held) -> Figure:
    figure, axes = pyplot.subplots(figsize=(10, 4.2))
    rows = _ranks(held)
    left = [0.0] * len(rows)
    for part, colour in PARTS.items():
        widths = [parts[part] / 2**20 for _, parts in rows]
        bars = axes.barh([name for name, _ in rows], widths, left=left, color=colour, edgecolor="white", label=part)
        axes.bar_label(bars, fmt="%.1f", label_type="center", color="white", fontweight="bold")
        left = [start + width for start, width in zip(left, widths, strict=True)]
    axes.invert_yaxis()
    axes.grid(axis="y", visible=False)
    axes.set_xlabel("MiB held between two steps")
    figure.legend(loc="outside upper center", ncols=len(PARTS))
    return figure


def _ranks(held: Held) -> list[tuple[str, dict[str, int]]]:
    """A name for each rank, and its bytes."""
    return [
        (way if len(ranks) == 1 else f"{way}, rank {rank}", parts)
        for way, ranks in held.items()
        for rank, parts in enumerate(ranks)
    ]
