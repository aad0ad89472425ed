"""Measures which rank holds how many bytes of parameters, gradients and optimizer state, and draws it."""

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import torch
from matplotlib import pyplot
from torch import Tensor, nn
from torch.distributed.tensor import DTensor

from labkit.errors import LabError
from labkit.files import make_folder, write_json, write_whole
from labkit.loading import load_implementation
from labkit.models import WideMLP
from labkit.plots import BLUE, GREEN, VERMILION, saved
from labkit.ranks import RankServer
from labkit.values import decode

RANKS = 2
WAYS = {"one process": (None, 1), "DDP": ("ddp", RANKS), "FSDP2": ("fsdp", RANKS)}
PARTS = {"parameters": BLUE, "gradients": GREEN, "optimizer state": VERMILION}
NAME = "who_holds_which_bytes"

Held = dict[str, list[dict[str, int]]]  # way -> for each rank, part -> bytes


def measure(file: Path) -> Held:
    """What each rank holds between two steps of AdamW on WideMLP in float16, with the lab file at `file`.

    This process may only have imported before: the ranks are forked from it. Raises LabError if a rank gives nothing.
    """
    server = RankServer(_held_by_this_rank, "cpu", clean=True)
    try:
        held: Held = {}
        for way, (strategy, size) in WAYS.items():
            answers = [json.loads(answer) for answer in server.run(json.dumps([str(file), strategy]), size)]
            for rank, answer in enumerate(answers):
                if "$" in answer:
                    raise LabError(f"{way}, rank {rank}: {decode(answer)}")
            held[way] = answers
        return held
    finally:
        server.close()


def _held_by_this_rank(job: str) -> str:
    file, strategy = json.loads(job)
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
    return json.dumps(
        {
            "parameters": _bytes(parameters),
            "gradients": _bytes(parameter.grad for parameter in parameters),
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


def write_figure(file: Path, folder: Path) -> list[Path]:
    """Measures with the lab file at `file`, writes the figures and their picture to `folder`, gives both paths."""
    make_folder(folder, "--out")
    held = measure(file)
    data: dict[str, Any] = {
        "made by": "python -m labkit bytes",
        "model": "WideMLP, AdamW, float16, between two steps",
        "torch": torch.__version__.partition("+")[0],
        "bytes": held,
    }
    paths = [folder / f"{NAME}.json", folder / f"{NAME}.png"]
    write_json(paths[0], data)
    write_whole(paths[1], _drawn(held))
    return paths


def _drawn(held: Held) -> bytes:
    rows = [
        (way if len(ranks) == 1 else f"{way}, rank {rank}", parts)
        for way, ranks in held.items()
        for rank, parts in enumerate(ranks)
    ]
    with pyplot.rc_context({"font.size": 13}):
        figure, axes = pyplot.subplots(figsize=(10, 4.2), layout="constrained")
        left = [0.0] * len(rows)
        for part, colour in PARTS.items():
            widths = [parts[part] / 2**20 for _, parts in rows]
            bars = axes.barh([name for name, _ in rows], widths, left=left, color=colour, edgecolor="white", label=part)
            axes.bar_label(bars, fmt="%.1f", label_type="center", color="white", fontweight="bold")
            left = [start + width for start, width in zip(left, widths, strict=True)]
        axes.invert_yaxis()
        axes.set_xlabel("MiB held between two steps")
        axes.spines[["top", "right"]].set_visible(False)
        figure.legend(loc="outside upper center", ncols=len(PARTS), frameon=False)
        return saved(figure, "png", dpi=120)
