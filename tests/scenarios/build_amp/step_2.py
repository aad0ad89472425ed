"""Step 2, master weights: what the graded suite makes the code under test do."""

import copy
from collections.abc import Callable
from itertools import islice
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim import SGD

from labkit.observe import Submission, attempt
from scenarios.build_amp.common import plain


def half_model(weights: list, dtype: torch.dtype, frozen: list | None = None) -> nn.ParameterList:
    frozen = frozen or [False] * len(weights)
    return nn.ParameterList(
        nn.Parameter(weight.to(dtype), requires_grad=not is_frozen)
        for weight, is_frozen in zip(weights, frozen, strict=True)
    )


class Kept:
    """A `make_optimizer` that keeps what it was called with, and the optimizer that it made.

    The optimizer has a parameter group for each master, or groups of so many as `groups` says.
    """

    def __init__(self, groups: list | None = None, **settings: float) -> None:
        self.groups, self.settings, self.masters, self.calls = groups, settings, [], 0
        self.optimizer: SGD | None = None

    def __call__(self, masters: list) -> SGD:
        self.calls += 1
        self.masters = list(masters)
        rest = iter(self.masters)
        groups = [{"params": [*islice(rest, size)]} for size in self.groups or [1] * len(self.masters)]
        self.optimizer = SGD(groups, **self.settings)
        return self.optimizer

    def momenta(self) -> list:
        states = [self.optimizer.state.get(master, {}) for master in self.masters]
        momenta = [state.get("momentum_buffer") for state in states]
        return [None if momentum is None else momentum.clone() for momentum in momenta]


def set_gradients(parameters: list, gradients: list) -> None:
    """Gives the parameters these scaled gradients, in their own dtype."""
    for parameter, gradient in zip(parameters, gradients, strict=True):
        parameter.grad = None if gradient is None else gradient.to(parameter.dtype)


def masters_of(lab: Submission, models: list, frozen: list) -> list:
    """Of each model, given as weights and dtype: what its `make_optimizer` was called with, and how often."""
    seen = []
    for (weights, dtype), of_model in zip(models, frozen, strict=True):
        kept = Kept(lr=1.0)
        lab.MasterWeights(half_model(weights, dtype, of_model), kept)
        seen.append({"calls": kept.calls, "masters": plain(kept.masters)})
    return seen


def made(lab: Submission, models: list) -> list:
    """For each model, a list of weights in the dtypes of its parameters: the error, or the first of its masters."""
    seen = []
    for weights in models:
        kept = Kept(lr=1.0)
        model = nn.ParameterList(nn.Parameter(weight.clone()) for weight in weights)
        error = attempt(lambda model=model, kept=kept: lab.MasterWeights(model, kept) and None)
        seen.append(error if kept.calls == 0 or error is not None else kept.masters[0].detach().clone())
    return seen


def steps(
    lab: Submission,
    dtype: torch.dtype,
    weights: list,
    gradients: list,
    settings: dict,
    scales: list | None = None,
    limits: list | None = None,
    frozen: list | None = None,
) -> dict:
    """Steps with SGD of these settings on a model in `dtype`; `gradients[step][parameter]` are still scaled.

    `scales` and `limits` are the arguments of each step, which has none where they are None. Reports after each step
    what it returned (or raised), masters, weights and momenta.
    """
    model = half_model(weights, dtype, frozen)
    kept = Kept(**settings)
    masters = lab.MasterWeights(model, kept)
    seen: dict[str, list] = {"stepped": [], "masters": [], "weights": [], "momenta": []}
    for step, of_step in enumerate(gradients):
        masters.zero_grad()
        set_gradients(list(model), of_step)
        scale, limit = scales[step] if scales else None, limits[step] if limits else None
        named = {"scale": scale, "max_grad_norm": limit}
        named = {name: value for name, value in named.items() if value is not None}
        given = list(named.values()) if len(named) == 2 else []  # both of them by position
        named = {} if given else named
        seen["stepped"].append(attempt(lambda given=given, named=named: masters.step(*given, **named)))
        seen["masters"].append(plain(kept.masters))
        seen["weights"].append(plain(list(model)))
        seen["momenta"].append(kept.momenta())
    return seen


def steps_in_place(lab: Submission, dtype: torch.dtype, weights: list, gradients: list) -> dict:
    """Steps and then `load_state_dict` of the state before them.

    Reports before and after the loading whether the model has the parameters that it had, and what a view of each,
    made at the start, shows.
    """
    model = half_model(weights, dtype)
    before, views = list(model), [parameter.detach().view(-1) for parameter in model]
    masters = lab.MasterWeights(model, Kept(lr=1.0))
    state = copy.deepcopy(masters.state_dict())
    for of_step in gradients:
        set_gradients(list(model), of_step)
        masters.step()
    seen = [{"same": [now is was for now, was in zip(model, before, strict=True)], "views": plain(views)}]
    masters.load_state_dict(state)
    seen.append({"same": [now is was for now, was in zip(model, before, strict=True)], "views": plain(views)})
    return {"stepped": seen[0], "loaded": seen[1]}


class Tied(nn.Module):
    """Two modules that share one parameter, and a parameter of its own."""

    def __init__(self, shared: Tensor, own: Tensor, dtype: torch.dtype) -> None:
        super().__init__()
        self.first = nn.ParameterList([nn.Parameter(shared.to(dtype))])
        self.second = nn.ParameterList([self.first[0]])
        self.own = nn.Parameter(own.to(dtype))


def steps_of_tied(
    lab: Submission, dtype: torch.dtype, shared: Tensor, own: Tensor, gradients: list, limit: float
) -> dict:
    """Clipped steps with lr 1 of a model whose first parameter has two names; `gradients[step]` are [shared, own]."""
    model, kept = Tied(shared, own, dtype), Kept(lr=1.0)
    masters = lab.MasterWeights(model, kept)
    seen: list = []
    for of_step in gradients:
        set_gradients([model.first[0], model.own], of_step)
        masters.step(max_grad_norm=limit)
        seen.append(plain(kept.masters))
    return {"masters": seen, "tied": model.first[0] is model.second[0]}


def zeroed(lab: Submission, dtype: torch.dtype, weights: list, gradients: list, frozen: list) -> list:
    """The gradients that the model still has after each step and a `zero_grad`, and then its weights.

    While `zero_grad` runs, the parameters of `frozen[step]` are frozen.
    """
    model = half_model(weights, dtype)
    masters, seen = lab.MasterWeights(model, Kept(lr=1.0)), []
    for of_step, of_freezing in zip(gradients, frozen, strict=True):
        set_gradients(list(model), of_step)
        masters.step()
        for parameter, is_frozen in zip(model, of_freezing, strict=True):
            parameter.requires_grad_(not is_frozen)
        masters.zero_grad()
        model.requires_grad_(True)
        seen.append([None if parameter.grad is None else parameter.grad.clone() for parameter in model])
        seen[-1] += plain(list(model))
    return seen


def resumed(
    lab: Submission,
    dtype: torch.dtype,
    weights: list,
    others: list,
    gradients: list,
    cut: int,
    settings: dict,
    fresh: bool,
) -> dict:
    """`cut` steps; their state goes to the MasterWeights of another model, with `others` for weights; it goes on.

    If not `fresh`, the other one has made a step before.
    """
    first, kept = half_model(weights, dtype), Kept(**settings)
    masters = lab.MasterWeights(first, kept)
    for of_step in gradients[:cut]:
        set_gradients(list(first), of_step)
        masters.step()
    state = copy.deepcopy(masters.state_dict())
    second, kept = half_model(others, dtype), Kept(**settings)
    masters = lab.MasterWeights(second, kept)
    if not fresh:
        set_gradients(list(second), gradients[0])
        masters.step()
    masters.load_state_dict(state)
    seen = [{"masters": plain(kept.masters), "weights": plain(list(second))}]
    for of_step in gradients[cut:]:
        set_gradients(list(second), of_step)
        masters.step()
        seen.append({"masters": plain(kept.masters), "weights": plain(list(second))})
    return {"steps": seen}


def refused(
    lab: Submission, dtype: torch.dtype, weights: list, others: list, gradients: list, states: list, settings: dict
) -> dict:
    """Steps; before each but the first, a state is loaded that does not fit. Reports errors, masters and weights.

    `states` say which: "model", the model's own state_dict; "scaler", that of a StaticLossScaler; "nothing", an empty
    dict; the number of one of `others`, the weights of a model whose own state it is, after a step; or a list, the
    sizes of the groups of another optimizer, which has stepped a model of the same shapes.
    """
    model, kept = half_model(weights, dtype), Kept(**settings)
    masters = lab.MasterWeights(model, kept)
    kinds: dict[str, Callable[[], Any]] = {
        "model": lambda: model.state_dict(),
        "scaler": lambda: {"scale": 1024.0},
        "nothing": dict,
    }
    seen: dict[str, list] = {"raised": [], "masters": [], "weights": []}
    for state, of_step in zip(["none", *states], gradients, strict=True):
        if state != "none":
            if isinstance(state, str):
                found = kinds[state]()
            elif isinstance(state, list):
                found = stepped_state(lab, [weight + 1 for weight in weights], dtype, settings, state)
            else:
                found = stepped_state(lab, others[state], dtype, settings)
            seen["raised"].append(attempt(lambda found=found: masters.load_state_dict(found) and None))
        set_gradients(list(model), of_step)
        masters.step()
        seen["masters"].append(plain(kept.masters))
        seen["weights"].append(plain(list(model)))
    return seen


def stepped_state(
    lab: Submission, weights: list, dtype: torch.dtype, settings: dict, groups: list | None = None
) -> dict:
    """The state of the MasterWeights of a model with these weights, after a step along them."""
    model = half_model(weights, dtype)
    masters = lab.MasterWeights(model, Kept(groups, **settings))
    set_gradients(list(model), weights)
    masters.step()
    return copy.deepcopy(masters.state_dict())
