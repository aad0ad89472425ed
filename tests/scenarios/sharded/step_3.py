"""Scenarios of step 3 of Lab 03, a sharded model: what the suite makes the code under test do."""

from collections.abc import Callable
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor, nn

from labkit.observe import Submission, attempt, live_bytes, traffic
from scenarios.sharded.common import Layer, layers_of, made, network, own, seen_weights, squared_error, values
from scenarios.sharded.structures import Marked, Structure


def started(lab: Submission, way: str, states: list, structure: dict, buffers: list) -> dict:
    """What a `Structure` that has just been sharded computes with, where rank r had `states[r]` and `buffers[r]`.

    The buffers: one of each part, the first of which is not saved, and one of the model itself.
    """
    tensors = own(states)
    module = Structure(tensors, **structure)
    owners = [*module.chains, module]
    for index, (owner, buffer) in enumerate(zip(owners, own(buffers), strict=True)):
        owner.register_buffer("table", buffer.clone(), persistent=index != 0)
    model, _ = made(lab, way, module, "sgd", {"lr": 0.1}, {})
    with torch.no_grad():
        model(torch.zeros(1, len(tensors[0])))
    return {"tensors": module.seen(len(tensors)), "buffers": [owner.table for owner in owners]}


def fresh(lab: Submission, state: list, steps: list, lr: float, reshard: bool, between: list) -> list:
    """Weights that every pass computes with. Each step has a training pass, and before it and again behind its backward
    pass those that `between[step]` names: "train" and "eval" passes without a backward pass, and "no_grad" ones. The
    first step is made once more at the end."""
    model = lab.ShardedModel(network(state), reshard=reshard)
    optimizer = torch.optim.SGD(model.shards(), lr=lr)
    layers = [layer for layer in model.modules() if isinstance(layer, Layer)]
    seen = []

    def run(x: Tensor) -> Tensor:
        outputs = model(x)
        seen.append([layer.seen for layer in layers])
        return outputs

    def run_between(x: Tensor, kinds: list) -> None:
        for kind in kinds:
            model.train(kind == "train")
            with torch.set_grad_enabled(kind != "no_grad"):
                run(x)
        model.train()

    for ranks, kinds in zip([*steps, steps[0]], [*between, between[0]], strict=True):
        ((x, y),) = own(ranks)
        run_between(x, kinds)
        squared_error(run(x), y).backward()
        run_between(x, kinds)
        optimizer.step()
        optimizer.zero_grad()
    return seen


def two_at_once(lab: Submission, state: list, steps: list, lr: float, reshard: bool) -> list:
    """Steps with two micro-batches: both forward passes come first, then both backward passes, the first one first."""
    model = lab.ShardedModel(network(state), reshard=reshard)
    optimizer = torch.optim.SGD(model.shards(), lr=lr)
    seen = []
    for ranks in steps:
        losses = [squared_error(model(x), y) for x, y in own(ranks)]
        for loss in losses:
            loss.backward()
        optimizer.step()
        optimizer.zero_grad()
        seen.append(seen_weights(model, own(ranks)[0][0]))
    return seen


def shards_of(lab: Submission, state: list, steps: list, dtype: torch.dtype, options: dict) -> dict:
    """Shards right after construction and gradients after the first of `steps`; `same`: later calls give the same
    objects, as does `parameters()`; `gathered`: the module has the parameters that it had; `graph`: whether a gradient
    has one."""
    module = network(state).to(dtype)
    gathered = list(module.parameters())
    model = lab.ShardedModel(module, **options)
    shards = model.shards()
    before = values(shards)
    for x, y in own(steps[0]):
        squared_error(model(x.to(dtype)), y).backward()
    again = model.shards()
    parameters = list(model.parameters())
    return {
        "values": before,
        "parameters": all(type(one) is nn.Parameter for one in shards),
        "gradients": [one.grad for one in shards],
        "gathered": [one is now for one, now in zip(gathered, module.parameters(), strict=True)],
        "graph": any(one.grad is not None and one.grad.requires_grad for one in shards),
        "same": [one is other for one, other in zip(shards, again, strict=True)],
        "parameters are shards": len(parameters) == len(shards)
        and all(any(one is other for other in shards) for one in parameters),
        "left": [0 if one.grad is None else 1 for one in (model.zero_grad(), again)[1]],
    }


def step_calls(lab: Submission, way: str, tensors: list, structure: dict, steps: list, options: dict) -> list:
    """The calls of each step of SGD on a `Structure`: forward, backward and optimizer."""
    model, optimizer = made(lab, way, Structure(tensors, **structure), "sgd", {"lr": 0.1}, options)
    seen = []
    for ranks in steps:
        with traffic() as calls:
            for x, y in own(ranks):
                squared_error(model(x), y).backward()
            optimizer.step()
            optimizer.zero_grad()
        seen.append(list(calls))
    return seen


def alive(
    lab: Submission, way: str, state: list, x: Tensor, container: str, named: bool = False, reshard: bool = True
) -> dict:
    """Bytes alive at moments of the second training pass of a new model: when it is "made", "inside" each layer's
    forward pass, "between" the passes, in the "backward" pass behind each layer, and "after" it.

    `named`: the layers are given as units of a model whose children are chains of them. Without `reshard`, "evaluated"
    is behind a last pass without gradients, when no shard has one. `loss` is that of the training pass.
    """
    with live_bytes() as live:
        layers = layers_of(state, lambda: live.note("inside"))
        half = len(layers) // 2
        options = {"reshard": reshard} | ({"units": layers} if named else {})
        members = [nn.Sequential(*layers[:half]), nn.Sequential(*layers[half:])] if named else layers
        model: nn.Module = Marked(members, container, lambda: live.note("backward"))
        model, _ = made(lab, way, model, "sgd", {"lr": 0.0}, options)
        for _ in range(2):
            for one in model.parameters():
                one.grad = None
            leaf = x.clone().requires_grad_()
            del live.moments[:]
            live.note("made", collect=True)
            loss = squared_error(model(leaf), torch.zeros_like(x))
            live.note("between", collect=True)
            loss.backward()
            value = loss.item()
            del loss, leaf
            live.note("after", collect=True)
        if not reshard:
            for one in model.parameters():
                one.grad = None
            with torch.no_grad():
                model(x)
            live.note("evaluated", collect=True)
    return {"moments": [list(moment) for moment in live.moments], "loss": value}


def reduced(lab: Submission, way: str, gradients: list, dtype: torch.dtype, options: dict) -> list:
    """The gradients of this rank's shards, where those of rank r's losses are `gradients[r]`, one for each backward
    pass, in the weight of a module of this `dtype`."""
    weight = torch.zeros_like(own(gradients)[0])
    model = network([[weight, torch.zeros(len(weight))]], lambda: None)
    model[0].bias = None
    model, optimizer = made(lab, way, model.to(dtype), "sgd", {"lr": 1.0}, options)
    x = torch.eye(weight.shape[1], dtype=dtype)
    for gradient in own(gradients):
        (model(x) * gradient.T).sum().backward()
    shards = [one for group in optimizer.param_groups for one in group["params"]]
    return [getattr(one.grad, "_local_tensor", one.grad) for one in shards]


def small_updates(lab: Submission, way: str, weight: Tensor, dtype: torch.dtype, param_dtype: Any, lr: float) -> list:
    """The weight that each of eight steps computes with whose gradient is -1 for a weight of 1, and 1 for -1."""
    model = network([[weight, torch.zeros(len(weight))]]).to(dtype)
    model, optimizer = made(lab, way, model, "sgd", {"lr": lr}, {"param_dtype": param_dtype})
    x, seen = torch.eye(weight.shape[1], dtype=dtype), []
    for _ in range(8):
        (model(x) * -weight.sign().T).sum().backward()
        optimizer.step()
        optimizer.zero_grad()
        seen.append(seen_weights(model, x)[0][0])
    return seen


class Widening(nn.Module):
    """A layer that gives float32, whatever it computes in; takes a row's number, and a scale that lies in a list in a
    dict, and gives a dict."""

    def __init__(self, weight: Tensor, bias: Tensor) -> None:
        super().__init__()
        self.layer = Layer(weight, bias, last=False)
        self.given: dict[str, torch.dtype] = {}

    def forward(self, x: Tensor, row: Tensor, *, more: dict) -> dict:
        factor = more["factor"][0]
        self.given = {"x": x.dtype, "row": row.dtype, "factor": factor.dtype}
        return {"row": row, "wide": (self.layer(x) * factor[row]).float()}


class Casts(nn.Module):
    """A `Widening` and a layer behind it, which gets its outputs in `between`; gives what that gives, or its sum."""

    def __init__(self, state: list, between: torch.dtype | None) -> None:
        super().__init__()
        self.first, self.last, self.between = Widening(*state[0]), Layer(*state[1], last=True), between

    def forward(self, x: Tensor, row: Tensor, *, factor: Tensor, summed: bool = False) -> Tensor:
        hidden = self.first(x, row, more={"factor": [factor.float()], "nothing": None})["wide"]
        outputs = self.last(hidden if self.between is None else hidden.to(self.between))
        return outputs.sum() if summed else outputs


def casts(lab: Submission, state: list, x: Tensor, factor: Tensor, dtypes: list, param_dtype: Any) -> dict:
    """Dtypes of what the units of a model get, compute with and give; and the gradient of the input.

    The parameters of the first unit and of the last are in `dtypes`.
    """
    module = Casts(state, between=dtypes[1] if param_dtype is None else None)
    for unit, dtype in zip((module.first, module.last), dtypes, strict=True):
        unit.to(dtype)
    model = lab.ShardedModel(module, param_dtype=param_dtype)
    leaf, row = x.clone().requires_grad_(), torch.zeros((), dtype=torch.int64)
    total = model(leaf, row, factor=factor, summed=True)
    outputs = model(leaf, row, factor=factor)
    outputs.float().sum().backward()
    return {
        "given": module.first.given,
        "inputs": [module.first.layer.inputs, module.last.inputs],
        "weights": [layer.seen[0].dtype for layer in (module.first.layer, module.last)],
        "output": [outputs.dtype, total.dtype],
        "values": outputs.detach().float(),
        "input's gradient": [leaf.grad.dtype, bool(leaf.grad.any())],
    }


def structured(lab: Submission, way: str, tensors: list, structure: dict, steps: list, settings: dict) -> dict:
    """Trains a `Structure` with SGD: the values that it computes with after each step; the `requires_grad` of the
    shards with a gradient, and without."""
    module = Structure(tensors, **structure)
    model, optimizer = made(lab, way, module, "sgd", settings, {})
    seen, with_gradient = [], []
    for ranks in steps:
        for x, y in own(ranks):
            squared_error(model(x), y).backward()
        with_gradient += [one.requires_grad for one in model.parameters() if one.grad is not None]
        optimizer.step()
        optimizer.zero_grad()
        with torch.no_grad():
            model(own(ranks)[0][0])
        seen.append(module.seen(len(tensors)))
    return {"tensors": seen, "trains": with_gradient}


def whole_inside(lab: Submission, state: list) -> list:
    """For the forward pass of each layer of a model without units: which parameters have memory in it."""
    inside: list[list[bool]] = []
    module = network(state, lambda: inside.append([one.untyped_storage().nbytes() > 0 for one in module.parameters()]))
    model = lab.ShardedModel(module, units=[])
    with torch.no_grad():
        model(torch.zeros(1, state[0][0].shape[1]))
    return inside


def whole_parameters(module: nn.Module) -> list:
    """Copies of the parameters that have their memory; None for one that has not: reading it would end the process."""
    return [
        parameter.detach().clone() if parameter.untyped_storage().nbytes() >= parameter.nbytes else None
        for parameter in module.parameters()
    ]


def refused(lab: Submission, states: list, tables: list) -> dict:
    """What each of these bad calls raised, on a rank of a group or outside of any, and a good one; and the modules'
    weights after, a buffer of theirs, and what one computes. Those of rank r are `states[r]` and `tables[r]`."""
    rank = dist.get_rank() if dist.is_initialized() else 0
    state, table = states[rank], tables[rank]
    module = network(state)
    module.add_module("holder", nn.ModuleList([nn.ModuleDict({"first": layers_of(state)[0]}), *layers_of(state)[1:]]))
    other = network(state)[0]
    half = network(state)
    half[0].weight.data = half[0].weight.data.to(torch.bfloat16)
    last_half = network(state)
    last_half[-1].bias.data = last_half[-1].bias.data.to(torch.bfloat16)
    elsewhere, halves = network(state), network(state)
    elsewhere[0].bias = nn.Parameter(elsewhere[0].bias.to("meta"))
    halves[-1].to(torch.bfloat16)
    chain = nn.Sequential(network(state), nn.Tanh())
    for one in (module, chain, last_half):
        one.register_buffer("table", table.clone())
    calls: dict[str, Callable[[], object]] = {
        "not in the module": lambda: lab.ShardedModel(module, units=[module[0], other]),
        "one in another": lambda: lab.ShardedModel(chain, units=[chain[0], chain[0][1]]),
        "one in another, named first": lambda: lab.ShardedModel(chain, units=[chain[0][1], chain[0]]),
        "twice": lambda: lab.ShardedModel(module, units=[module[0], module[0]]),
        "never called": lambda: lab.ShardedModel(module, units=[module.holder]),
        "a dict, never called": lambda: lab.ShardedModel(module, units=[module.holder[0]]),
        "two dtypes": lambda: lab.ShardedModel(half),
        "two dtypes, one of the gathered weights": lambda: lab.ShardedModel(half, param_dtype=torch.bfloat16),
        "two devices": lambda: lab.ShardedModel(elsewhere),
        "two dtypes in the last unit": lambda: lab.ShardedModel(last_half),
    }
    seen = {name: attempt(lambda call=call: call() and None) for name, call in calls.items()}
    good = attempt(lambda: lab.ShardedModel(halves) and None)
    weights = [whole_parameters(one) for one in (module, chain, last_half)]
    alone = None if dist.is_initialized() else attempt(lambda: lab.ShardedModel(network(state)) and None)
    tables = [one.table for one in (module, chain, last_half)]
    output = None if None in weights[1] else chain(torch.ones_like(state[0][0][:1])).detach()
    return {"raised": seen, "good": good, "weights": weights, "tables": tables, "output": output, "alone": alone}


def old_optimizer(lab: Submission, state: list, x: Tensor) -> list:
    """What the step of an optimizer raised that was made before its model was sharded, with another parameter in its
    first group; that of one made after; and the weights then."""
    module = network(state)
    groups = [{"params": [nn.Parameter(x.clone())]}, {"params": list(module.parameters())}]
    old = torch.optim.SGD(groups, lr=0.1)
    model = attempt(lambda: lab.ShardedModel(module))
    if not isinstance(model, nn.Module):
        return [model, None, []]
    new = torch.optim.SGD(model.parameters(), lr=0.1)

    def train(optimizer: torch.optim.Optimizer) -> None:
        squared_error(model(x), torch.zeros(len(x), len(state[-1][1]))).backward()
        optimizer.step()

    raised = [attempt(lambda: train(old)), attempt(lambda: (new.zero_grad(), train(new))[1])]
    return [*raised, seen_weights(model, x)]
