"""Step 2, loss scaling: what the graded suite makes the code under test do."""

import warnings

import torch
from torch import Tensor, nn

from labkit.observe import Submission, attempt
from scenarios.mixed_precision.common import make_optimizer, optimizer_state


def scalers(lab: Submission, settings: list, loss: Tensor) -> list:
    """For each dict of settings: the scaler's state, and what it makes of `loss`; then its scale is set to 1."""
    made = [lab.create_grad_scaler(**one) for one in settings]
    seen = []
    for scaler in made:
        seen.append({"state": dict(scaler.state_dict()), "scaled": scaler.scale(loss)})
        scaler.update(1.0)
    return seen


def scalers_on(lab: Submission, devices: list, loss: Tensor, init_scale: float) -> list:
    """For each device: what a scaler made for it makes of `loss`, a loss on the CPU."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # a scaler for a device that is not there warns that it is off
        made = [lab.create_grad_scaler(init_scale=init_scale, device=device) for device in devices]
    return [scaler.scale(loss.cpu()) for scaler in made]


class GivenGradient(torch.autograd.Function):
    """A loss with this value, whose gradient with respect to `weight` is `gradient`, whatever `weight` is."""

    @staticmethod
    def forward(ctx: torch.autograd.function.FunctionCtx, weight: Tensor, gradient: Tensor, loss: float) -> Tensor:
        ctx.save_for_backward(gradient)
        ctx.dtype = weight.dtype
        return torch.tensor(loss, device=weight.device)

    @staticmethod
    def backward(ctx: torch.autograd.function.FunctionCtx, upstream: Tensor) -> tuple[Tensor, None, None]:
        (gradient,) = ctx.saved_tensors
        return (gradient * upstream).to(ctx.dtype), None, None


def given_loss(parameters: list, gradients: list, loss: float) -> Tensor:
    """A loss of value `loss` with these gradients; a parameter whose gradient is None has no part in it."""
    pairs = [(p, gradient) for p, gradient in zip(parameters, gradients, strict=True) if gradient is not None]
    return sum(GivenGradient.apply(p, gradient, loss / len(pairs)) for p, gradient in pairs)


def backward_steps(
    lab: Submission,
    weights: list,
    gradients: list,
    scaler: dict,
    losses: list | None = None,
    max_grad_norm: float | None = None,
    optimizer: str = "sgd",
    earlier: list | None = None,
) -> dict:
    """Steps of `scaled_backward` with lr 1 on losses whose true gradients are `gradients[step][parameter]`.

    A parameter whose gradient is None in the first step is frozen. `earlier` are gradients of a micro-batch that was
    accumulated before every step. Reports of every step what was returned, the loss scale, the weights, the gradients
    that were left and the optimizer's state.
    """
    model = nn.ParameterList(weight.clone() for weight in weights)
    for parameter, gradient in zip(model, gradients[0], strict=True):
        parameter.requires_grad_(gradient is not None)
    optim = make_optimizer(optimizer, [parameter for parameter in model if parameter.requires_grad], lr=1.0)
    grad_scaler = torch.amp.GradScaler(weights[0].device.type, **scaler)
    seen: dict[str, list] = {"stepped": [], "scales": [], "weights": [], "gradients": [], "state": []}
    for step, step_gradients in enumerate(gradients):
        optim.zero_grad()
        if earlier is not None:
            grad_scaler.scale(given_loss(list(model), earlier, 1.0)).backward()
        loss = given_loss(list(model), step_gradients, losses[step] if losses else 1.0)
        limit = {} if max_grad_norm is None else {"max_grad_norm": max_grad_norm}
        seen["stepped"].append(lab.scaled_backward(loss, grad_scaler, optim, model, **limit))
        seen["scales"].append(grad_scaler.get_scale())
        seen["weights"].append([parameter.detach().clone() for parameter in model])
        seen["gradients"].append([None if p.grad is None else p.grad.clone() for p in model])
        seen["state"].append(optimizer_state(optim))
    return seen


def backward_through_half(lab: Submission, gradient: Tensor, init_scale: float) -> dict:
    """One step with lr 1 on a loss whose true gradient passes through a float16 tensor on its way to the weight."""
    weight = nn.Parameter(torch.zeros_like(gradient))
    model = nn.ParameterList([weight])
    scaler = torch.amp.GradScaler(gradient.device.type, init_scale=init_scale)
    loss = GivenGradient.apply(weight.half(), gradient, 1.0)
    lab.scaled_backward(loss, scaler, torch.optim.SGD(model, lr=1.0), model)
    return {"moved": -weight.detach()}


def steps_beside_old_gradients(
    lab: Submission,
    weights: list,
    gradients: list,
    old: list,
    frozen: list,
    scaler: dict,
    max_grad_norm: float | None = None,
    owned: bool = False,
) -> dict:
    """Steps of `scaled_backward` with lr 1, where `frozen[i]` says which parameters are frozen and hold `old[i]`.

    They hold it again before every step. The optimizer owns them too if `owned` says so. Reports of every step what was
    returned, the weights and the gradients that were left; and at last which parameters are frozen.
    """
    model = nn.ParameterList(weight.clone() for weight in weights)
    for parameter, is_frozen in zip(model, frozen, strict=True):
        parameter.requires_grad_(not is_frozen)
    optimizer = make_optimizer("sgd", [p for p in model if p.requires_grad or owned], lr=1.0)
    grad_scaler = torch.amp.GradScaler(weights[0].device.type, **scaler)
    seen: dict[str, list] = {"stepped": [], "weights": [], "gradients": []}
    for step_gradients in gradients:
        optimizer.zero_grad()
        for parameter, gradient, is_frozen in zip(model, old, frozen, strict=True):
            if is_frozen:
                parameter.grad = None if gradient is None else gradient.clone()
        loss = given_loss(list(model), step_gradients, 1.0)
        seen["stepped"].append(lab.scaled_backward(loss, grad_scaler, optimizer, model, max_grad_norm))
        seen["weights"].append([parameter.detach().clone() for parameter in model])
        seen["gradients"].append([None if p.grad is None else p.grad.clone() for p in model])
    return seen | {"frozen": [not parameter.requires_grad for parameter in model]}


class Twice(nn.Module):
    """Two modules that share one parameter, beside a parameter of its own."""

    def __init__(self, shared: Tensor, own: Tensor) -> None:
        super().__init__()
        self.first, self.second = nn.ParameterList([nn.Parameter(shared.clone())]), nn.ParameterList()
        self.second.append(self.first[0])
        self.own = nn.Parameter(own.clone())


def steps_of_shared(
    lab: Submission, shared: Tensor, own: Tensor, gradients: list, scaler: dict, max_grad_norm: float
) -> dict:
    """Clipped steps with lr 1 on a model whose first parameter has two names; `gradients[step]` are [shared, own]."""
    model = Twice(shared, own)
    optimizer = torch.optim.SGD(model.parameters(), lr=1.0)
    grad_scaler = torch.amp.GradScaler(shared.device.type, **scaler)
    seen: dict[str, list] = {"stepped": [], "weights": []}
    for step_gradients in gradients:
        optimizer.zero_grad()
        loss = given_loss([model.first[0], model.own], step_gradients, 1.0)
        seen["stepped"].append(lab.scaled_backward(loss, grad_scaler, optimizer, model, max_grad_norm))
        seen["weights"].append([model.second[0].detach().clone(), model.own.detach().clone()])
    return seen


def steps_with_limits(lab: Submission, weights: list, gradients: list, limits: list, scaler: dict) -> list:
    """For each of `limits`, one step with lr 1 of a new model: the error that was raised, or the weights.

    `gradients[i]` are those of the step with `limits[i]`.
    """

    def step(limit: float, gradients: list) -> list:
        model = nn.ParameterList(weight.clone() for weight in weights)
        optimizer = torch.optim.SGD(model, lr=1.0)
        grad_scaler = torch.amp.GradScaler(weights[0].device.type, **scaler)
        lab.scaled_backward(given_loss(list(model), gradients, 1.0), grad_scaler, optimizer, model, limit)
        return [parameter.detach() for parameter in model]

    return [attempt(lambda pair=pair: step(*pair)) for pair in zip(limits, gradients, strict=True)]
