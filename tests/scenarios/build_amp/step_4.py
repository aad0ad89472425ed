"""Scenarios of step 4 of Lab 06, accumulation and batch norm: what the suite makes the code under test do."""

import math
from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from labkit.observe import Submission, attempt

SPOILS = (0.0, math.inf, -math.inf, math.nan)


class Probe(torch.autograd.Function):
    """Passes logits on, notes both ways in `log`, and does to the gradient what the batch asks for.

    The last feature of an input is an index of `SPOILS`: if it is not 0, an entry of the gradient becomes that.
    """

    @staticmethod
    def forward(
        ctx: torch.autograd.function.FunctionCtx, logits: Tensor, inputs: Tensor, log: Callable, through_half: bool
    ) -> Tensor:
        ctx.tag, ctx.spoil, ctx.log = float(inputs[0, 0, 0]), int(inputs[0, 0, -1]), log
        ctx.through_half = through_half
        log("forward", ctx.tag)
        return logits.clone()

    @staticmethod
    def backward(ctx: torch.autograd.function.FunctionCtx, gradient: Tensor) -> tuple[Tensor, None, None, None]:
        ctx.log("backward", ctx.tag)
        gradient = gradient.half().float() if ctx.through_half else gradient.clone()
        if ctx.spoil:
            gradient[0, 0, 0] = SPOILS[ctx.spoil]
        return gradient, None, None, None


class Tagger(nn.Module):
    """Logits (n, length, classes) of inputs (n, length, features + 1), each position by itself, through a `Probe`.

    `spare` is a parameter that takes no part. `events` has every forward and backward pass: which, the first feature of
    its batch, and the scale of then; `modes` has whether each module was in train mode in each forward pass.
    """

    def __init__(self, weights: list, scaler: object, through_half: bool = False) -> None:
        super().__init__()
        self.first, self.last, self.spare = (nn.Parameter(weight.clone()) for weight in weights)
        self.drop = nn.Sequential(nn.Dropout(0.0))
        self.events: list[list] = []
        self.modes: list[list[bool]] = []
        self.log = lambda way, tag: self.events.append([way, tag, float(scaler.get_scale())])
        self.through_half = through_half

    def forward(self, inputs: Tensor) -> Tensor:
        self.modes.append([module.training for module in self.modules()])
        hidden = torch.tanh(inputs[..., :-1] @ self.first)
        return Probe.apply(self.drop(hidden) @ self.last, inputs, self.log, self.through_half)


def sequence_loss(outputs: Tensor, targets: Tensor) -> Tensor:
    """The mean over samples of the cross entropy, summed over the positions of a sample."""
    return F.cross_entropy(outputs.transpose(1, 2), targets, reduction="none").sum(dim=1).mean()


def train(
    lab: Submission,
    weights: list,
    epochs: list,
    window: int,
    scaler: dict,
    report: list,
    factor: float = 1.0,
    limit: float | None = None,
    old: list | None = None,
    foreign: float | None = None,
    through_half: bool = False,
    modes: list | None = None,
) -> list:
    """One call of `accumulate` for each list of batches in `epochs`: SGD with lr 1/2, a loss times `factor`, and a
    parameter group for each parameter.

    `scaler` has the name of its class and its settings. `old` are gradients that the parameters hold before each call.
    Before it the model is in eval mode, or `modes[call]` says which of its modules are in train mode. If `foreign` is
    given, the optimizer has all parameters but the first, whose gradient is full of this number. The report of a call
    has the items that `report` names.
    """
    made = getattr(lab, scaler["class"])(**{name: value for name, value in scaler.items() if name != "class"})
    model = Tagger(weights, made, through_half)
    parameters = list(model.parameters())
    if foreign is not None:
        model.first.register_hook(lambda gradient: torch.full_like(gradient, foreign))
    optimized = parameters if foreign is None else parameters[1:]
    optimizer = torch.optim.SGD([{"params": [parameter]} for parameter in optimized], lr=0.5 / factor)
    seen = []
    for call, batches in enumerate(epochs):
        model.eval()
        for module, trains in zip(model.modules(), modes[call] if modes else (), strict=bool(modes)):
            module.training = trains
        for parameter, gradient in zip(parameters, old or [None] * len(parameters), strict=True):
            parameter.grad = None if gradient is None else gradient.clone()
        more = {} if limit is None else {"max_grad_norm": limit}
        start = len(model.events), len(model.modes)
        result = lab.accumulate(
            model,
            tuple(tuple(batch) for batch in batches),
            window,
            optimizer,
            made,
            lambda outputs, targets: sequence_loss(outputs, targets) * factor,
            **more,
        )
        everything = {
            "steps": [result["steps"], result["skipped"]],
            "loss": result["loss"],
            "keys": sorted(result),
            "weights": [parameter.detach().clone() for parameter in parameters],
            "events": model.events[start[0] :],
            "modes": model.modes[start[1] :],
            "scale": float(made.get_scale()),
        }
        seen.append({name: everything[name] for name in report})
    return seen


def refused(lab: Submission, weights: list, old: list, batches: list, windows: list, scale: float) -> list:
    """For each of `windows`, and then for a good one without batches: what `accumulate` raised, and what it left."""
    scaler = lab.StaticLossScaler(scale)
    model = Tagger(weights, scaler)
    parameters = list(model.parameters())
    optimizer = torch.optim.SGD(parameters, lr=1.0, momentum=0.5)
    model.eval()
    for parameter, gradient in zip(parameters, old, strict=True):
        parameter.grad = gradient.clone()
    pairs = [tuple(batch) for batch in batches]
    calls = [(pairs, window) for window in windows] + [([], max(windows) + 9)]
    return [
        {
            "raised": attempt(
                lambda data=data, window=window: lab.accumulate(model, data, window, optimizer, scaler, sequence_loss)
            ),
            "weights": [parameter.detach().clone() for parameter in parameters],
            "gradients": [None if parameter.grad is None else parameter.grad.clone() for parameter in parameters],
            "state": len(optimizer.state),
            "ran": len(model.modes),
            "training": model.training,
        }
        for data, window in calls
    ]


def batch_norm_parts(lab: Submission, sizes: list) -> list:
    """For each number of channels: the parameters and the statistics of a new module, and those in its state dict."""
    made = [lab.MixedBatchNorm2d(size) for size in sizes]
    names = ("running_mean", "running_var")
    return [
        {
            "parameters": {name: parameter.detach() for name, parameter in module.named_parameters()},
            "buffers": {name: buffer for name, buffer in module.named_buffers() if name in names},
            "saved": sorted(name for name in module.state_dict() if name in ("weight", "bias", *names)),
        }
        for module in made
    ]


def batch_norm(
    lab: Submission, inputs: list, training: list, weight: Tensor, bias: Tensor, report: list, settings: dict
) -> list:
    """A module with this weight and bias runs on each of `inputs`, in train mode where `training` says so.

    Every second input is in the memory format of convolutions on images, channels last; every third runs without
    gradients.
    """
    module = lab.MixedBatchNorm2d(len(weight), **settings).to(weight.device)
    module.load_state_dict({"weight": weight, "bias": bias}, strict=False)
    seen = []
    for number, (x, trains) in enumerate(zip(inputs, training, strict=True)):
        module.train(trains)
        x = x.contiguous(memory_format=torch.channels_last) if number % 2 else x
        with torch.set_grad_enabled(number % 3 != 2):
            output = module(x).detach()
        everything = {
            "output": output,
            "running_mean": module.running_mean.detach().clone(),
            "running_var": module.running_var.detach().clone(),
        }
        seen.append({name: everything[name] for name in report})
    return seen


def batch_norm_gradients(
    lab: Submission, inputs: list, upstream: list, training: list, weight: Tensor, bias: Tensor, eps: float
) -> list:
    """For each of `inputs`: the gradients of <output, upstream> with respect to x, weight and bias, and whether the
    running statistics belong to a graph afterwards."""
    module = lab.MixedBatchNorm2d(len(weight), eps=eps).to(weight.device)
    module.load_state_dict({"weight": weight, "bias": bias}, strict=False)
    seen = []
    for x, gradient, trains in zip(inputs, upstream, training, strict=True):
        module.train(trains)
        module.zero_grad()
        leaf = x.clone().requires_grad_()
        (module(leaf) * gradient).sum().backward()
        graphs = [statistic.requires_grad for statistic in (module.running_mean, module.running_var)]
        seen.append({"x": leaf.grad, "weight": module.weight.grad, "bias": module.bias.grad, "graphs": graphs})
    return seen
