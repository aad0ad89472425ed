"""Scenarios of step 5 of Lab 03, FSDP2: what the suite makes the code under test do."""

import torch
from torch import nn
from torch.distributed.tensor import DTensor

from labkit.observe import Submission, attempt
from scenarios.sharded.common import network, own, squared_error, values
from scenarios.sharded.structures import Structure


def whole_state(lab: Submission, tensors: list, structure: dict, steps: list, lr: float, param_dtype: object) -> dict:
    """`full_state` of an FSDP2 model of a `Structure` with a buffer that is saved and one that is not, after
    construction and after each step of SGD."""
    module = Structure(tensors, **structure)
    module.register_buffer("table", torch.arange(5))
    module.register_buffer("scratch", torch.ones(2), persistent=False)
    names = sorted(module.state_dict())
    model = lab.fsdp2(module, param_dtype)
    same = model is module
    optimizer = torch.optim.SGD(model.parameters(), lr=lr)
    states = [lab.full_state(model)]
    for value in states[0].values():
        if isinstance(value, DTensor):
            return {"names": names, "states": ["a DTensor"], "again": None, "same": same, "sharded": []}
    copies = {name: value.detach().clone() for name, value in states[0].items()}
    for value in states[0].values():
        value.detach().zero_()
    again = lab.full_state(model)
    states = [copies]
    for ranks in steps:
        for x, y in own(ranks):
            squared_error(model(x), y).backward()
        optimizer.step()
        optimizer.zero_grad()
        states.append({name: value.detach().clone() for name, value in lab.full_state(model).items()})
    sharded = [isinstance(parameter, DTensor) for parameter in model.parameters()]
    return {"names": names, "states": states, "again": again, "same": same, "sharded": sharded}


def kinds_of_parameters(lab: Submission, state: list, param_dtype: torch.dtype) -> dict:
    """Of a sharded model: whether every parameter is a DTensor, their dtypes, and how many numbers this rank holds."""
    model = lab.fsdp2(network(state), param_dtype)
    parameters = list(model.parameters())
    return {
        "sharded": [isinstance(parameter, DTensor) for parameter in parameters],
        "dtypes": sorted({str(parameter.dtype) for parameter in parameters}),
        "held": sum(getattr(parameter, "_local_tensor", parameter).numel() for parameter in parameters),
    }


def without_group(lab: Submission, state: list) -> list:
    """What sharding raised outside of any group, and the model's weights after."""
    model: nn.Module = network(state)
    return [attempt(lambda: lab.fsdp2(model, None) and None), *values(model.parameters())]
