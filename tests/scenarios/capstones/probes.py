"""Models that note how they are run, for the scenarios of steps 4 and 5 of Lab 07."""

import math
from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn import functional as F

SPOILS = (0.0, math.inf, -math.inf, math.nan)


class Tap(torch.autograd.Function):
    """Passes logits on; hands their gradient to `note` on the way back, then puts `spoil` into it unless that is 0."""

    @staticmethod
    def forward(
        ctx: torch.autograd.function.FunctionCtx, logits: Tensor, note: Callable[[Tensor], None], spoil: float
    ) -> Tensor:
        ctx.note, ctx.spoil = note, spoil
        return logits.clone()

    @staticmethod
    def backward(ctx: torch.autograd.function.FunctionCtx, gradient: Tensor) -> tuple[Tensor, None, None]:
        ctx.note(gradient.detach().clone())
        if ctx.spoil:
            gradient = gradient.clone()
            gradient.view(-1)[0] = ctx.spoil
        return gradient, None, None


class Noting(nn.Module):
    """A classifier that notes each of its runs; a batch is known by the first number of its inputs.

    `spoils` has indices of `SPOILS`: for each batch, what the gradient of its logits gets in its first run with
    gradients, in its second, and so on.
    """

    def __init__(self, spoils: list | None = None) -> None:
        super().__init__()
        self.inner = nn.Sequential(nn.Sequential(nn.Dropout(0.0)), nn.Dropout(0.0))  # modules in modules
        self.spoils = {tag: [SPOILS[index] for index in indices] for tag, indices in spoils or []}
        self.runs: list[dict] = []
        self.learning_rate: Callable[[], float] = lambda: math.nan

    def note_run(self, inputs: Tensor) -> None:
        kind = inputs.device.type
        self.runs.append(
            {
                "tag": float(inputs.flatten()[0]),
                "training": [module.training for module in self.modules()],
                "autocast": torch.get_autocast_dtype(kind) if torch.is_autocast_enabled(kind) else torch.float32,
                "grad": torch.is_grad_enabled(),
                "lr": float(self.learning_rate()),
                "inputs": [inputs.dtype, _is_channels_last(inputs)],
                "parameters": [[parameter.dtype, _is_channels_last(parameter)] for parameter in self.parameters()],
                "weights": [parameter.detach().clone() for parameter in self.parameters()],
                "fresh": all(_is_fresh(parameter) for parameter in self.parameters() if parameter.dim() == 2),
            }
        )

    def tap(self, logits: Tensor) -> Tensor:
        """The logits of the run that was noted last."""
        run = self.runs[-1]
        left = self.spoils.get(run["tag"]) if torch.is_grad_enabled() else None
        run["gradients"] = []
        return Tap.apply(logits, run["gradients"].append, left.pop(0) if left else 0.0)


class Given(Noting):
    """Gives the logits of a table, times a parameter that begins at 1; under autocast rounded to its dtype."""

    def __init__(self, table: list, spoils: list | None = None) -> None:
        super().__init__(spoils)
        self.table = {float(inputs.flatten()[0]): logits for inputs, logits in table}
        self.factor = nn.Parameter(torch.ones(1))

    def forward(self, inputs: Tensor) -> Tensor:
        self.note_run(inputs)
        run = self.runs[-1]
        return self.tap((self.table[run["tag"]] * self.inner(self.factor)).to(run["autocast"]))


def selected(runs: list[dict], items: list) -> list[list]:
    """Of each run the tag, and what `items` names."""
    return [[run["tag"], *(run[item] for item in items)] for run in runs]


def moved(model: Noting) -> list[list]:
    """For each run with gradients: its tag, and whether the weights differ in the next run, or now, after the last."""
    after = [run["weights"] for run in model.runs[1:]] + [list(model.parameters())]
    return [
        [run["tag"], any(not torch.equal(one, other) for one, other in zip(run["weights"], weights, strict=True))]
        for run, weights in zip(model.runs, after, strict=True)
        if run["grad"]
    ]


def _is_fresh(weight: Tensor) -> bool:
    """Whether a product with it is made of what it is now: autocast keeps casts of weights until its region ends."""
    rows = F.linear(torch.eye(weight.shape[1], device=weight.device), weight).T
    return torch.equal(rows, weight.to(rows.dtype))


def _is_channels_last(tensor: Tensor) -> bool | None:
    return tensor.is_contiguous(memory_format=torch.channels_last) if tensor.dim() == 4 else None
