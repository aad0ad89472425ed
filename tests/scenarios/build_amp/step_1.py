"""Step 1, loss scalers: what the graded suite makes the code under test do."""

import copy
import json
from collections.abc import Callable
from itertools import chain

import torch
from torch import Tensor, nn
from torch.optim import SGD
from torch.utils._python_dispatch import TorchDispatchMode

from labkit.observe import Submission, attempt
from scenarios.build_amp.common import plain

BAD = float("inf")


def new_scaler(lab: Submission, kind: str, settings: dict):
    """A StaticLossScaler or a DynamicLossScaler."""
    return lab.StaticLossScaler(**settings) if kind == "static" else lab.DynamicLossScaler(**settings)


def parameters_of(weights: list) -> list[nn.Parameter]:
    return [nn.Parameter(weight.clone()) for weight in weights]


def grouped(parameters: list[nn.Parameter], momentum: float = 0.0) -> SGD:
    """SGD with lr 1 and a parameter group for each parameter."""
    return SGD([{"params": [parameter]} for parameter in parameters], lr=1.0, momentum=momentum)


def backward(scaler, parameters: list[nn.Parameter], gradients: list) -> None:
    """Backward of a scaled loss with these true gradients; None: the parameter has no part in it."""
    terms = [(p * g).sum() for p, g in zip(parameters, gradients, strict=True) if g is not None]
    if terms:
        scaler.scale(torch.stack(terms).sum()).backward()


def scaled_losses(lab: Submission, kind: str, scales: list, losses: list) -> list:
    """Of each scaler with one of `scales`: what it makes of a loss, and the loss afterwards."""
    seen = []
    for scale, loss in zip(scales, losses, strict=True):
        loss = loss.clone()
        name = "scale" if kind == "static" else "init_scale"
        scaled = new_scaler(lab, kind, {name: scale}).scale(loss)
        seen.append({"scaled": scaled.detach().clone(), "loss": loss})
    return seen


def gradients_of_scaled(lab: Submission, kind: str, scale: float, weight: Tensor, gradients: list) -> list:
    """The gradients of scaled losses whose true gradients are `gradients`; each loss has the dtype of its gradient."""
    scaler, seen = new_scaler(lab, kind, {"scale" if kind == "static" else "init_scale": scale}), []
    for gradient in gradients:
        parameter = nn.Parameter(weight.clone())
        loss = (parameter * gradient.float()).sum().to(gradient.dtype)
        scaler.scale(loss).backward()
        seen.append(parameter.grad)
    return seen


def unscaled(lab: Submission, kind: str, scale: float, gradients: list) -> dict:
    """`unscale_` of an optimizer whose gradients are views of one buffer; None: a parameter without a gradient.

    Reports the gradients afterwards, whether each is still the same tensor, the buffer, and the weights.
    """
    parameters = parameters_of([torch.zeros(3) if gradient is None else gradient * 0 for gradient in gradients])
    present = [(p, gradient) for p, gradient in zip(parameters, gradients, strict=True) if gradient is not None]
    buffer = torch.cat([gradient.reshape(-1) for _, gradient in present])
    parts = buffer.split([gradient.numel() for _, gradient in present])
    for (parameter, gradient), part in zip(present, parts, strict=True):
        parameter.grad = part.view_as(gradient)
    before = [parameter.grad for parameter in parameters]
    optimizer = grouped(parameters)
    new_scaler(lab, kind, {"scale" if kind == "static" else "init_scale": scale}).unscale_(optimizer)
    return {
        "gradients": [None if parameter.grad is None else parameter.grad.clone() for parameter in parameters],
        "same": [parameter.grad is old for parameter, old in zip(parameters, before, strict=True)],
        "buffer": buffer,
        "weights": plain(parameters),
    }


class HostCopies(TorchDispatchMode):
    """Counts the operations whose result Python has to wait for: `.item()`, `bool()` and what is like them."""

    NAMES = ("aten._local_scalar_dense", "aten.equal", "aten.nonzero", "aten.masked_select")

    def __init__(self) -> None:
        super().__init__()
        self.count = 0

    def __torch_dispatch__(self, func: Callable, types: object, args: tuple = (), kwargs: dict | None = None) -> object:
        self.count += str(func).startswith(self.NAMES)
        return func(*args, **(kwargs or {}))


def host_copies(lab: Submission, kind: str, weights: list, gradients: list) -> dict:
    """Of each optimizer: how many values `unscale_` copied to the host, and whether `step` then stepped.

    `gradients[optimizer][parameter]` are not scaled.
    """
    scaler = new_scaler(lab, kind, {})
    seen: dict[str, list] = {"copies": [], "stepped": []}
    optimizers = []  # all are kept: a scaler may know them by their id
    for of_optimizer in gradients:
        parameters = parameters_of(weights)
        for parameter, gradient in zip(parameters, of_optimizer, strict=True):
            parameter.grad = gradient.clone()
        optimizer = grouped(parameters)
        optimizers.append(optimizer)
        with HostCopies() as counted:
            scaler.unscale_(optimizer)
        seen["copies"].append(counted.count)
        seen["stepped"].append(scaler.step(optimizer))
    return seen


def train(
    lab: Submission,
    kind: str,
    settings: dict,
    weights: list,
    gradients: list,
    order: list | None = None,
    unscaled: list | None = None,
    limit: float | None = None,
    momentum: float = 0.0,
    repaired: bool = False,
) -> dict:
    """Iterations with several optimizers, SGD with lr 1: backward of the scaled loss, step of each, update.

    Args:
        weights: weights[optimizer][parameter].
        gradients: gradients[iteration][optimizer][parameter], the true ones; None for a parameter without one.
        order: the order in which each iteration unscales the optimizers; it steps them the other way round.
        unscaled: in which iterations the caller unscales all before the steps; then it clips to `limit`, if given.
        repaired: if so, after unscaling the caller replaces inf and nan in the gradients.

    Reports after each iteration which optimizers stepped, all weights, and the scale.
    """
    scaler = new_scaler(lab, kind, settings)
    parameters = [parameters_of(of_optimizer) for of_optimizer in weights]
    optimizers = [grouped(of_optimizer, momentum) for of_optimizer in parameters]
    seen: dict[str, list] = {"stepped": [], "weights": [], "scales": []}
    for iteration, of_iteration in enumerate(gradients):
        for optimizer in optimizers:
            optimizer.zero_grad()
        backward(scaler, [*chain(*parameters)], [*chain(*of_iteration)])
        turns = order[iteration] if order else range(len(optimizers))
        for number in turns if unscaled is not None and unscaled[iteration] else ():
            scaler.unscale_(optimizers[number])
            if limit is not None:
                nn.utils.clip_grad_norm_(parameters[number], limit)
            for parameter in parameters[number] if repaired else ():
                parameter.grad.nan_to_num_(0.0, 0.0, 0.0)
        stepped: list = [None] * len(optimizers)
        for number in reversed(turns):
            stepped[number] = scaler.step(optimizers[number])
        scaler.update()
        seen["stepped"].append(stepped)
        seen["weights"].append([plain(of_optimizer) for of_optimizer in parameters])
        seen["scales"].append(scaler.get_scale())
    return seen


def huge_steps(lab: Submission, kind: str, scale: float, gradients: list, lr: float) -> dict:
    """One iteration for each of `gradients[iteration][parameter]`, which are scaled already, from weights of 0."""
    scaler, seen = new_scaler(lab, kind, {"scale" if kind == "static" else "init_scale": scale}), []
    for of_iteration in gradients:
        parameters = [nn.Parameter(torch.zeros_like(gradient)) for gradient in of_iteration]
        for parameter, gradient in zip(parameters, of_iteration, strict=True):
            parameter.grad = gradient.clone()
        stepped = scaler.step(SGD(parameters, lr=lr))
        scaler.update()
        seen.append({"stepped": stepped, "weights": plain(parameters)})
    return {"steps": seen, "scale": scaler.get_scale()}


def second_calls(lab: Submission, kind: str, cases: list, weight: Tensor, gradients: list, scale: float) -> list:
    """For each case, the names of two methods: the first, then the second of the same optimizer, before any update.

    In each case the optimizer gets a new gradient, `gradients[case]`, times the scale, or none. Reports what the second
    call raised, and gradient and weight before and after it. An optimizer that is not stepped by then is stepped
    before the iteration ends.
    """
    scaler = new_scaler(lab, kind, {"scale" if kind == "static" else "init_scale": scale})
    parameter = nn.Parameter(weight.clone())
    optimizer, seen = SGD([parameter], lr=1.0), []
    for (first, second), gradient in zip(cases, gradients, strict=True):
        parameter.grad = None if gradient is None else gradient * scaler.get_scale()
        getattr(scaler, first)(optimizer)
        before = [*plain([parameter]), copy.deepcopy(parameter.grad)]
        raised = attempt(lambda second=second: getattr(scaler, second)(optimizer))
        after = [*plain([parameter]), copy.deepcopy(parameter.grad)]
        if first == "unscale_":
            scaler.step(optimizer)
        scaler.update()
        seen.append({"raised": raised, "before": before, "after": after, "end": parameter.detach().clone()})
    return seen


def overflow_or_not(scaler, optimizer: SGD, overflow: bool, call: str = "step") -> None:
    """One iteration with an overflow or without, in which this method is called; an empty name is no call."""
    parameter = optimizer.param_groups[0]["params"][0]
    parameter.grad = torch.full_like(parameter, BAD if overflow else 0.0)
    if call:
        getattr(scaler, call)(optimizer)
    scaler.update()


def schedule(
    lab: Submission, settings: dict, overflows: list, calls: list | None = None, by_position: bool = False
) -> list:
    """What a DynamicLossScaler makes of a loss of 1 after each iteration, and its scale.

    `overflows` says which iterations have one. `calls` has what is called of the optimizer in each, "step",
    "unscale_" or nothing.
    """
    scaler = lab.DynamicLossScaler(*settings.values()) if by_position else lab.DynamicLossScaler(**settings)
    optimizer, seen = SGD([nn.Parameter(torch.zeros(1))], lr=1.0), []
    for iteration, overflow in enumerate(overflows):
        overflow_or_not(scaler, optimizer, overflow, calls[iteration] if calls else "step")
        seen.append({"scale": scaler.get_scale(), "scaled": scaler.scale(torch.tensor(1.0))})
    return seen


def long_schedule(lab: Submission, overflows: int, good: int, loss: Tensor) -> list:
    """What a DynamicLossScaler with default settings makes of `loss` at first, after some overflows, after all but
    one of `good` iterations without one, and after the last of them."""
    scaler, optimizer = lab.DynamicLossScaler(), SGD([nn.Parameter(torch.zeros(1))], lr=1.0)
    seen = [scaler.scale(loss)]
    for count, overflow in ((overflows, True), (good - 1, False), (1, False)):
        for _ in range(count):
            overflow_or_not(scaler, optimizer, overflow, "unscale_")
        seen.append(scaler.scale(loss))
    return seen


def constructed(lab: Submission, kind: str, settings: list) -> list:
    """For each dict of settings: the error, or the scale of the new scaler."""
    return [attempt(lambda one=one: new_scaler(lab, kind, one).get_scale()) for one in settings]


def resumed(lab: Submission, kind: str, settings: dict, others: dict, overflows: list, cuts: list) -> list:
    """For each of `cuts`: the scales of a scaler made with `others` that got the state of one made with `settings`.

    `cuts` are after how many iterations. The first one goes on in between, and so the state has to be a copy. The
    state crosses as text.
    """
    seen = []
    optimizer = SGD([nn.Parameter(torch.zeros(1))], lr=1.0)
    for cut in cuts:
        first, second = new_scaler(lab, kind, settings), new_scaler(lab, kind, others)
        for overflow in overflows[:cut]:
            overflow_or_not(first, optimizer, overflow)
        state = first.state_dict()
        for overflow in overflows[cut:]:
            overflow_or_not(first, optimizer, overflow)
        second.load_state_dict(json.loads(json.dumps(dict(state))))
        scales = [second.get_scale()]
        for overflow in overflows[cut:]:
            overflow_or_not(second, optimizer, overflow)
            scales.append(second.get_scale())
        seen.append(scales)
    return seen


def loaded(lab: Submission, kind: str, settings: dict, overflows: list, states: list) -> dict:
    """Iterations of a scaler that before each is given a state: the errors, and its scale after each iteration.

    A state is "other class", that of a scaler of the other class; or a number, its own with this number in the place
    of every one; or a dict.
    """
    scaler, optimizer = new_scaler(lab, kind, settings), SGD([nn.Parameter(torch.zeros(1))], lr=1.0)
    other = new_scaler(lab, "dynamic" if kind == "static" else "static", {})
    seen: dict[str, list] = {"raised": [], "scales": []}
    for state, overflow in zip(states, overflows, strict=True):
        if state == "other class":
            state = copy.copy(other.state_dict())
        elif not isinstance(state, dict):
            state = dict.fromkeys(scaler.state_dict(), state)
        seen["raised"].append(attempt(lambda state=state: scaler.load_state_dict(state) and None))
        overflow_or_not(scaler, optimizer, overflow)
        seen["scales"].append(scaler.get_scale())
    return seen
