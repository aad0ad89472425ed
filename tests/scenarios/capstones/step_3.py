"""Scenarios of step 3 of Lab 07, decoding: what the suite makes the code under test do."""

import torch
from torch import Tensor, nn

from labkit.observe import Submission, attempt
from scenarios.capstones.products import product_dtype, region


class Automaton(nn.Module):
    """Says the next token from a state, which the source's first token and all target tokens so far decide.

    The state is (source + sum of place squared * (token + 1)) modulo the table's rows, places counted from 1. `calls`
    has what each forward pass saw; the pass number `fails_at` raises.
    """

    def __init__(self, table: Tensor, fails_at: int | None = None) -> None:
        super().__init__()
        self.table = nn.Parameter(table)
        self.drop = nn.Sequential(nn.Dropout(0.0), nn.Dropout(0.0))
        self.again = nn.Sequential(self.drop[1])  # a module that two others share
        self.fails_at = fails_at
        self.calls: list[dict] = []

    def forward(self, source: Tensor, target: Tensor) -> Tensor:
        if len(self.calls) == self.fails_at:
            raise ArithmeticError("the model fails")
        self.calls.append(
            {
                "width": target.shape[1],
                "modes": [module.training for module in self.modules()],
                "gradients": torch.is_grad_enabled(),
                "dtype": product_dtype(target.device),
            }
        )
        places = torch.arange(1, target.shape[1] + 1, device=target.device)
        states = (source[:, :1] + (places**2 * (target + 1)).cumsum(dim=1)) % len(self.table)
        return self.drop(self.table[states])


def decoded(lab: Submission, table: Tensor, sources: list, longest: list, report: list) -> list:
    """`greedy_decode` of each source with each limit, or what it raised; and what the model saw."""
    seen = []
    for source, limit in zip(sources, longest, strict=True):
        model = Automaton(table)
        tokens = attempt(lambda m=model, s=source, limit=limit: lab.greedy_decode(m, s, limit, torch.float32))
        everything = {"tokens": tokens, "widths": [call["width"] for call in model.calls]}
        seen.append({name: everything[name] for name in report})
    return seen


def decoded_in(
    lab: Submission,
    table: Tensor,
    source: Tensor,
    dtypes: list,
    modes: list,
    fails_at: list,
    regions: list | None = None,
    gradients: list | None = None,
) -> list:
    """`greedy_decode` in each dtype, of a model whose modules are in train mode where `modes[call]` says so: what it
    gave or raised, how the model ran in each pass, and how things are afterwards.

    `regions[call]` is the dtype of a region of autocast around the call, float32: without one; `gradients[call]` is
    whether gradients are on around it.
    """
    seen = []
    regions = regions or [torch.float32] * len(dtypes)
    gradients = gradients or [True] * len(dtypes)
    for dtype, before, failing, around, grad in zip(dtypes, modes, fails_at, regions, gradients, strict=True):
        model = Automaton(table, failing)
        for module, trains in zip(model.modules(), before, strict=True):
            module.training = trains
        with region(source.device, around), torch.set_grad_enabled(grad):
            result = attempt(lambda model=model, dtype=dtype: lab.greedy_decode(model, source, 12, dtype))
            after = {"gradients": torch.is_grad_enabled(), "dtype": product_dtype(source.device)}
        torch.set_grad_enabled(True)
        modes_after = [module.training for module in model.modules()]
        seen.append({"result": result, "calls": model.calls, "modes": modes_after, "after": after})
    return seen


def matches(lab: Submission, decoded: list, targets: list) -> list:
    """`exact_match` of each pair, or what it raised."""
    return [
        attempt(lambda one=one, target=target: lab.exact_match(one, target))
        for one, target in zip(decoded, targets, strict=True)
    ]
