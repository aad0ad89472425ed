"""What the suites of several steps of Lab 03 share: tolerances, and training compared with that of one process."""

from collections.abc import Sequence

import torch
from torch import Tensor

from labkit.judge.draw import Draw
from labkit.judge.expect import Tolerance, expect
from labkit.observe.values import Raised
from references.sharded.common import drawn_sizes, drawn_state, drawn_steps, optimizer_of, trained
from scenarios.sharded.common import train

EXACT = Tolerance("nothing is rounded on the way", atol=0.0)
FLOAT32 = Tolerance("float32 rounding over a few small steps", rtol=1e-5, atol=1e-5)
ADAM = Tolerance("AdamW divides by the gradient's size: float32 rounding of small ones moves a step", atol=2e-4)


def expect_weights(seen: list, expected: Sequence[Tensor], what: str, why: str, tolerance: Tolerance = FLOAT32) -> None:
    """`seen` has pairs of weight and bias, `expected` the tensors one after the other."""
    flat = [tensor for pair in seen for tensor in pair]
    expect(len(flat), f"{what}: tensors").equals(len(expected), "every layer has a weight and a bias")
    for index, (one, wanted) in enumerate(zip(flat, expected, strict=True)):
        name = f"{'bias' if index % 2 else 'weight'} of layer {index // 2} {what}"
        expect(one, name).close_to(wanted, tolerance, why, torch.float32)


def expect_training(
    observe,
    draw: Draw,
    way: str,
    name: str,
    options: dict | None = None,
    ranks: int = 2,
    steps: int = 3,
    micro_batches: int = 1,
) -> None:
    """The weights of all ranks after every step are those of one process; all ranks start from rank 0's."""
    settings = {"lr": draw.number(0.01, 0.02)}
    settings |= {"momentum": draw.number(0.5, 0.9)} if name == "sgd" else {"weight_decay": draw.number(0.1, 0.5)}
    sizes = drawn_sizes(draw, ranks=ranks)
    state, batches = drawn_state(draw, sizes), drawn_steps(draw, sizes, steps, ranks, micro_batches)
    history = trained(state, batches, optimizer_of(name, settings))
    seen = observe(
        train, ranks=ranks, way=way, states=[state] * ranks, steps=batches, optimizer=name, settings=settings,
        options=options or {},
    )  # fmt: skip
    why = "with the gradients averaged over the ranks, they train like one process on all their batches"
    for rank, weights in enumerate(seen):
        expect(len(weights), f"steps on rank {rank}").equals(steps, why)
        for step, expected in enumerate(history):
            what = f"on rank {rank} after step {step + 1}"
            expect_weights(weights[step], expected, what, why, FLOAT32 if name == "sgd" else ADAM)


def bytes_sent(calls: list[dict]) -> dict[str, int]:
    """By kind of call, the bytes of the whole of what is gathered, reduced or broadcast; barriers have none."""
    sent = {"gather": 0, "reduce_scatter": 0, "all_reduce": 0, "broadcast": 0, "other": 0}
    for call in calls:
        sent[kind_of(call)] += call["bytes"]
    return sent


def kind_of(call: dict) -> str:
    """A reduce of each part to its rank is a reduce-scatter in pieces; an all-to-all is one that is added up there."""
    name = call["name"].replace("_", "")
    kinds = {"reducescatter": "reduce_scatter", "allgather": "gather", "allreduce": "all_reduce"}
    kinds |= {"reduce": "reduce_scatter", "alltoall": "reduce_scatter", "broadcast": "broadcast"}
    return next((kind for part, kind in kinds.items() if part in name), "other")


def expect_value_error(seen: object, what: str, *names: str, type_name: str = "ValueError") -> None:
    """An exception of this type whose message has each of `names`."""
    got = seen if isinstance(seen, Raised) else Raised("no exception", "")
    expect(got.type, f"{what}: exception").equals(type_name, f"bad input gets a {type_name} that says what is wrong")
    if not names:
        return
    missing = [name for name in names if name not in got.message]
    expect(missing, f"{what}: not in the message").equals([], f"the message names {' and '.join(names)}")
