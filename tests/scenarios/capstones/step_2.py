"""Scenarios of step 2 of Lab 07, a training step: what the suite makes the code under test do."""

import math

import torch
from torch import Tensor, nn

from labkit.observe import Submission, attempt
from scenarios.capstones.products import product_dtype, region

SPOILS = (0.0, math.inf, -math.inf, math.nan)


def losses(lab: Submission, logits: list, targets: list, pads: list) -> list:
    """`sequence_loss` of each pair, or what it raised; a pad of None is not given."""
    return [
        attempt(lambda one=one, target=target, pad=pad: lab.sequence_loss(one, target, **padding(pad)).detach())
        for one, target, pad in zip(logits, targets, pads, strict=True)
    ]


def padding(pad: int | None) -> dict:
    return {} if pad is None else {"pad": pad}


def losses_under_autocast(lab: Submission, logits: list, targets: list, dtypes: list) -> list:
    """`sequence_loss` of each pair in a region of autocast in this dtype; float32: without one."""
    seen = []
    for one, target, dtype in zip(logits, targets, dtypes, strict=True):
        with torch.autocast(one.device.type, dtype=dtype, enabled=dtype != torch.float32):
            seen.append(lab.sequence_loss(one, target).detach())
    return seen


def gradients_of_losses(lab: Submission, logits: list, targets: list, pads: list) -> list:
    """The gradient of each loss with respect to its logits."""
    seen = []
    for one, target, pad in zip(logits, targets, pads, strict=True):
        leaf = one.clone().requires_grad_()
        lab.sequence_loss(leaf, target, **padding(pad)).backward()
        seen.append(leaf.grad)
    return seen


class Probe(torch.autograd.Function):
    """Passes logits on; if the batch says so, one entry of their gradient becomes inf, -inf or nan."""

    @staticmethod
    def forward(ctx: torch.autograd.function.FunctionCtx, logits: Tensor, spoil: int) -> Tensor:
        ctx.spoil = spoil
        return logits.clone()

    @staticmethod
    def backward(ctx: torch.autograd.function.FunctionCtx, gradient: Tensor) -> tuple[Tensor, None]:
        gradient = gradient.clone()
        if ctx.spoil:
            gradient[0, 0, 0] = SPOILS[ctx.spoil]
        return gradient, None


class Bigram(nn.Module):
    """Logits of the token after each target position, from that position's token and the mean of the source's.

    The source's first token is 3 plus an index of SPOILS. `calls` has what each forward pass saw.
    """

    def __init__(self, weights: list) -> None:
        super().__init__()
        self.source, self.target, self.last, self.spare = (nn.Parameter(weight.clone()) for weight in weights)
        self.drop = nn.Sequential(nn.Dropout(0.0))
        self.calls: list[dict] = []

    def forward(self, source: Tensor, target: Tensor) -> Tensor:
        self.calls.append(
            {
                "source": source,
                "target": target,
                "modes": [module.training for module in self.modules()],
                "dtype": product_dtype(target.device),
            }
        )
        hidden = torch.tanh(self.target[target] + self.source[source].mean(dim=1, keepdim=True))
        return Probe.apply(self.drop(hidden) @ self.last, int(source[0, 0]) - 3)


def train(
    lab: Submission,
    weights: list,
    batches: list,
    report: list,
    scaler: dict | None = None,
    dtypes: list | None = None,
    limit: float = 1e9,
    rates: list | None = None,
    momentum: float = 0.0,
    weight_decay: float = 0.0,
    old: list | None = None,
    modes: list | None = None,
    regions: list | None = None,
) -> list:
    """One call of `train_step` for each batch: SGD with a parameter group for each parameter, and a scheduler that
    gives step i the rate rates[i].

    `scaler` has the settings of an enabled GradScaler; without them it is disabled. `old` are gradients that the
    parameters hold before each call, `modes[call]` says which modules are in train mode then, or none are.
    `regions[call]` is the dtype of a region of autocast around the call, float32: without one. What is reported of a
    call has the items that `report` names.
    """
    device = weights[0].device
    rates = rates or [1.0] * (len(batches) + 1)
    model = Bigram(weights)
    settings = {"momentum": momentum, "weight_decay": weight_decay}
    optimizer = torch.optim.SGD([{"params": [one]} for one in model.parameters()], lr=1.0, **settings)
    scheduler = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: rates[step])
    grad_scaler = torch.amp.GradScaler(device.type, enabled=scaler is not None, **(scaler or {}))
    seen = []
    for call, batch in enumerate(batches):
        model.eval()
        for module, trains in zip(model.modules(), modes[call] if modes else (), strict=bool(modes)):
            module.training = trains
        for parameter, gradient in zip(model.parameters(), old or [None] * len(weights), strict=True):
            parameter.grad = None if gradient is None else gradient.clone()
        dtype, start = dtypes[call] if dtypes else torch.float32, len(model.calls)
        around = regions[call] if regions else torch.float32
        with region(device, around):
            result = attempt(
                lambda batch=batch, dtype=dtype: list(
                    lab.train_step(model, tuple(batch), optimizer, scheduler, grad_scaler, dtype, limit)
                )
            )
            after = product_dtype(device)
        everything = {
            "result": result,
            "weights": [parameter.detach().clone() for parameter in model.parameters()],
            "rate": optimizer.param_groups[0]["lr"],
            "scale": grad_scaler.get_scale(),
            "calls": model.calls[start:],
            "after": after,
        }
        seen.append({name: everything[name] for name in report})
    return seen
