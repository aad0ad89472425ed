"""Scenarios of step 4 of Lab 03, around the sharded model: what the suite makes the code under test do."""

import math
from types import MappingProxyType

import torch
import torch.distributed as dist
from torch import Tensor, nn

from labkit.observe import Submission, attempt, traffic
from scenarios.sharded.common import network, own, seen_weights, squared_error
from scenarios.sharded.structures import Structure


def clipped(lab: Submission, gradients: list, max_norm: float) -> dict:
    """`clip_grad_norm` of shards whose gradients on this rank are `gradients[rank]`; None: a shard without one.

    The shards come from a generator. `calls` are those on the group.
    """
    shards = []
    for gradient in own(gradients):
        shards.append(nn.Parameter(torch.zeros(3 if gradient is None else len(gradient))))
        shards[-1].grad = None if gradient is None else gradient.clone()
    grads = [shard.grad for shard in shards]
    with traffic() as calls:
        norm = lab.clip_grad_norm((shard for shard in shards), max_norm)
    return {
        "norm": norm,
        "finite float": type(norm) is float and math.isfinite(norm),
        "type": type(norm).__name__,
        "gradients": [shard.grad for shard in shards],
        "in place": all(one.grad is grad for one, grad in zip(shards, grads, strict=True)),
        "calls": list(calls),
    }


def clip_refused(lab: Submission, gradient: Tensor, limits: list) -> list:
    """What `clip_grad_norm` raised for each limit, on a rank of a group or outside of any, and the gradient after."""
    shard = nn.Parameter(torch.zeros_like(gradient))
    shard.grad = gradient.clone()
    raised = [attempt(lambda limit=limit: lab.clip_grad_norm([shard], limit)) for limit in limits]
    return [*raised, shard.grad]


def train_clipped(
    lab: Submission, state: list, steps: list, lr: float, limits: list, param_dtype: torch.dtype | None, spoils: list
) -> dict:
    """Steps of SGD that clip to `limits[step]`, and that are left out where the norm is inf or nan.

    `spoils[step]` is the rank, and what the gradient of one of its weights becomes there; None is nobody.
    """
    model = lab.ShardedModel(network(state), param_dtype=param_dtype)
    optimizer = torch.optim.SGD(model.shards(), lr=lr)
    seen: dict[str, list] = {"norms": [], "stepped": [], "weights": []}
    for ranks, limit, spoil in zip(steps, limits, spoils, strict=True):
        for x, y in own(ranks):
            outputs = model(x)
            if spoil is not None and spoil[0] == dist.get_rank():
                outputs = outputs + torch.zeros_like(outputs) * spoil[1]
                y = y + spoil[1]
            squared_error(outputs, y).backward()
        norm = lab.clip_grad_norm(model.shards(), limit)
        if math.isfinite(norm):
            optimizer.step()
        optimizer.zero_grad()
        seen["norms"].append(norm if math.isfinite(norm) else None)
        seen["stepped"].append(math.isfinite(norm))
        seen["weights"].append(seen_weights(model, own(ranks)[0][0]))
    return seen


def whole_state(lab: Submission, tensors: list, structure: dict, dtype: torch.dtype, param_dtype: object) -> dict:
    """The whole state of a sharded `Structure` with two buffers that are saved and one that is not, right after
    construction; that of the module before; whether changing the state changes the model; and the state after one in
    float64 was loaded whose floating entries are larger by 1."""
    module = Structure(tensors, **structure).to(dtype)
    module.register_buffer("table", torch.arange(5))
    module.register_buffer("mean", torch.rand(2, dtype=torch.float64))
    module.register_buffer("scratch", torch.ones(2), persistent=False)
    before = {name: value.clone() for name, value in module.state_dict().items()}
    model = lab.ShardedModel(module, param_dtype=param_dtype)
    state = model.full_state_dict()
    copies = {name: value.clone() for name, value in state.items()}
    for value in state.values():
        value.zero_()
    again = model.full_state_dict()
    larger = {name: value.double() + 1 if value.is_floating_point() else value for name, value in copies.items()}
    loads = attempt(lambda: model.load_full_state_dict(larger))
    return {
        "larger": [loads, larger, model.full_state_dict()],
        "state": copies,
        "again": again,
        "before": before,
        "graph": [name for name, value in state.items() if value.requires_grad],
        "fits": attempt(
            lambda: Structure(tensors, **structure).to(torch.float32).load_state_dict(again, strict=False) and None
        ),
    }


def loaded(
    lab: Submission, state: list, other: list, steps: list, settings: dict, param_dtype: torch.dtype | None
) -> dict:
    """A model of `state` makes the first of `steps`, takes over the whole state of `other`, and makes the rest.

    Comes back: the whole state right after loading, and after each further step; `same`: the shards are the same
    objects; the buffer.
    """
    module = network(state)
    module.register_buffer("table", torch.zeros(3))
    model = lab.ShardedModel(module, param_dtype=param_dtype)
    shards = model.shards()
    optimizer = torch.optim.SGD(shards, **settings)

    def step(ranks: list) -> None:
        for x, y in own(ranks):
            squared_error(model(x), y).backward()
        optimizer.step()
        optimizer.zero_grad()

    step(steps[0])
    new = {
        f"{index}.{name}": value.clone()
        for index, pair in enumerate(other)
        for name, value in zip(("weight", "bias"), pair, strict=True)
    }
    result = model.load_full_state_dict(MappingProxyType(new | {"table": torch.arange(3.0)}))
    for value in new.values():
        value.fill_(-9.0)
    states = [model.full_state_dict()]
    for ranks in steps[1:]:
        step(ranks)
        states.append(model.full_state_dict())
    return {
        "states": states,
        "same": all(one is now for one, now in zip(shards, model.shards(), strict=True)),
        "buffer": module.table.clone(),
        "result": result,
    }


def load_refused(lab: Submission, state: list, other: list) -> dict:
    """What loading each of these bad states raised, and the whole state after all of them."""
    module = network(state)
    module.register_buffer("table", torch.zeros(3))
    module.register_buffer("count", torch.zeros(()))
    model = lab.ShardedModel(module)
    good = {name: value.clone() for name, value in network(other).state_dict().items()}
    good |= {"table": torch.ones(3), "count": torch.ones(())}
    last = f"{len(state) - 1}.bias"
    bad: dict[str, dict] = {
        "a name is missing": {name: value for name, value in good.items() if name != last},
        "a name too many": good | {"more.weight": torch.ones(2)},
        "another shape": good | {last: torch.ones(len(good[last]) + 1)},
        "the same number in another shape": good | {"0.weight": good["0.weight"].reshape(-1)},
        "no buffer": {name: value for name, value in good.items() if name != "table"},
        "one number for a buffer of three": good | {"table": torch.ones(1)},
        "a vector for a buffer of no dimension": good | {"count": torch.ones(1)},
        "a row for a vector": good | {last: good[last][None]},
    }
    raised = {name: attempt(lambda one=one: model.load_full_state_dict(one)) for name, one in bad.items()}
    return {"raised": raised, "state": model.full_state_dict()}
