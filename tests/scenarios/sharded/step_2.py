"""Scenarios of step 2 of Lab 03, a sharded optimizer: what the suite makes the code under test do."""

import gc
import time
from collections.abc import Callable
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from labkit.observe import Submission, attempt, live_bytes, traffic
from scenarios.sharded.common import OPTIMIZERS, by_columns, network, own, squared_error, values


def parameters_of(tensors: list) -> list[nn.Parameter]:
    """Matrices lie in memory column by column."""
    return [nn.Parameter(by_columns(tensor) if tensor.dim() > 1 else tensor.clone()) for tensor in tensors]


def stepped(
    lab: Submission,
    tensors: list,
    steps: list,
    optimizer: str,
    settings: dict,
    frozen: list | None = None,
) -> dict:
    """A sharded optimizer over parameters of these values, from a generator, which get the gradients
    `steps[step][rank]`; None is none. `frozen` says which of them are.

    Comes back: the parameters after each step; the calls of each step; the gradients that `zero_grad` leaves; whether
    the parameters are still the same objects, as views of them that were made before show.
    """
    parameters = parameters_of(tensors)
    for parameter, is_frozen in zip(parameters, frozen or (), strict=bool(frozen)):
        parameter.requires_grad_(not is_frozen)
    optimizing = lab.ShardedOptimizer((one for one in parameters), OPTIMIZERS[optimizer], **settings)
    seen: dict[str, list] = {"parameters": [], "calls": [], "left": []}
    for gradients in steps:
        for parameter, gradient in zip(parameters, own(gradients), strict=True):
            parameter.grad = None if gradient is None else gradient.clone()
        with traffic() as calls:
            optimizing.step()
        seen["calls"].append(list(calls))
        optimizing.zero_grad()
        seen["parameters"].append(values(parameters))
        seen["left"].append([0.0 if one.grad is None else one.grad.abs().sum().item() for one in parameters])
    return seen


class Kept(torch.optim.AdamW):
    """AdamW that is known to the scenario, so that gradients of what it steps can be told from what else is alive."""

    made: ClassVar[list[torch.optim.Optimizer]] = []

    def __init__(self, params: Any, **settings: Any) -> None:
        super().__init__(params, **settings)
        self.made.append(self)


def held(lab: Submission, state: list, steps: list, settings: dict, most: list) -> dict:
    """What the `state_dict` of AdamW holds on this rank after training: by name, the tensors of all shards in one; and
    whether the rest of it is that of the optimizer that was made.

    `alive`: the bytes that are alive when the optimizer is made, and after each step, gradients apart; the last step
    has none. A thread of gloo may hold what it has just sent for a moment longer: half a second passes before more than
    `most` are noted.
    """
    Kept.made = []
    alive = []

    def apart() -> int:
        """Bytes alive, less those of the storages of gradients."""
        stepped = [one for each in Kept.made for group in each.param_groups for one in group["params"]]
        gradients = [one.grad for one in [*model.parameters(), *stepped] if one.grad is not None]
        storages = {one.untyped_storage().data_ptr(): one.untyped_storage().nbytes() for one in gradients}
        return live.now() - sum(storages.values())

    def note() -> None:
        gc.collect()
        limit, until = most[len(alive)], time.monotonic() + 0.5
        while apart() > limit and time.monotonic() < until:
            time.sleep(0.01)
        alive.append(apart())

    with live_bytes() as live:
        model = network(state, lambda: None)
        optimizing = lab.ShardedOptimizer(model.parameters(), Kept, **settings)
        note()
        for ranks in steps:
            for x, y in own(ranks):
                squared_error(model(x), y).backward()
            optimizing.step()
            optimizing.zero_grad()
            note()
        for parameter in model.parameters():
            parameter.grad = None
        optimizing.step()
        note()
    own_states = [one.state_dict() for one in Kept.made]
    Kept.made = []
    given = optimizing.state_dict()
    found: dict[str, list[Tensor]] = {}
    for entry in given["state"].values():
        for name, value in entry.items():
            if name != "step":
                found.setdefault(name, []).append(value.detach().reshape(-1))
    return {
        "state": {name: torch.cat(parts) for name, parts in found.items()},
        "rest": [{**given, "state": None}] == [{**one, "state": None} for one in own_states],
        "alive": alive,
    }


class Counted(torch.optim.SGD):
    """SGD that keeps track of the elements it was made for, and of how often it was made."""

    made: ClassVar[list[list[Any]]] = []

    def __init__(self, params: Any, **settings: Any) -> None:
        super().__init__(params, **settings)
        owned = [one for group in self.param_groups for one in group["params"]]
        self.made.append([sum(one.numel() for one in owned), sorted({str(one.dtype) for one in owned})])


def owned(lab: Submission, tensors: list) -> list:
    """For each optimizer that was made on this rank: how many elements it has, and their dtypes."""
    Counted.made = []
    lab.ShardedOptimizer(parameters_of(tensors), Counted, lr=0.1)
    return Counted.made


def step_of_one(lab: Submission, tensor: Tensor) -> Tensor:
    """Beside a frozen parameter of another dtype."""
    parameter, frozen = parameters_of([tensor, tensor.to(torch.bfloat16)])
    optimizing = lab.ShardedOptimizer([parameter, frozen.requires_grad_(False)], torch.optim.SGD, lr=1.0)
    parameter.grad = torch.ones_like(tensor)
    optimizing.step()
    return parameter.detach()


def refused(lab: Submission, tensor: Tensor) -> dict:
    """What each of these bad calls raised, on a rank of a group or outside of any; and where a good one steps to."""
    mixed = [tensor, tensor.to(torch.bfloat16)]
    calls: dict[str, Callable[[], object]] = {
        "nothing trains": lambda: (
            lab.ShardedOptimizer([nn.Parameter(tensor.clone(), requires_grad=False)], torch.optim.SGD, lr=0.1) and None
        ),
        "no parameters": lambda: lab.ShardedOptimizer([], torch.optim.SGD, lr=0.1) and None,
        "two dtypes": lambda: lab.ShardedOptimizer(parameters_of(mixed), torch.optim.SGD, lr=0.1) and None,
        "two devices": lambda: (
            lab.ShardedOptimizer(parameters_of([tensor, tensor.to("meta")]), torch.optim.SGD, lr=0.1) and None
        ),
        "good": lambda: step_of_one(lab, tensor),
    }
    return {name: attempt(call) for name, call in calls.items()}
