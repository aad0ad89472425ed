"""Scenarios of step 5 of Lab 06, watching: what the suite makes the code under test do."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.modules import module as torch_module

from labkit.observe import Submission, attempt


def classify(lab: Submission, names: list, gradients: list, settings: list) -> list:
    """What `classify` says of the gradients with these names, for each dict of settings."""
    named = dict(zip(names, gradients, strict=True))
    return [lab.classify(named, **one) for one in settings]


class Leaf(nn.Module):
    """Passes on what it gets, cleaned of inf and nan, with one of `spoils` in an entry, in a certain form.

    `spoils` has an item for each run, None: nothing is spoiled; in further runs nothing is either.
    The forms are a tensor, a tuple, list or dict that has it last, and "integers": a tuple of tensors that are no
    floats, from which the next leaf takes up what this one had got.
    `in_place`: cleans what it gets itself, as nn.ReLU(inplace=True) would.
    """

    def __init__(self, spoils: Sequence[float | None] = (), form: str = "tensor", in_place: bool = False) -> None:
        super().__init__()
        self.spoils, self.form, self.in_place = iter(spoils), form, in_place

    def forward(self, value: object) -> object:
        if isinstance(value, dict):
            value = list(value.values())
        x = value if isinstance(value, Tensor) else value[-1]
        clean = torch.nan_to_num_ if self.in_place else torch.nan_to_num
        x = clean(x.float(), posinf=1.0, neginf=-1.0).clone()
        spoil = next(self.spoils, None)
        if spoil is not None:
            x.view(-1)[-1] = spoil
        return {
            "tensor": lambda: x,
            "tuple": lambda: (torch.ones(2), x),
            "list": lambda: [torch.ones(2), x],
            "dict": lambda: {"other": torch.ones(2), "x": x},
            "integers": lambda: (torch.full((2,), 2**62), x > 0, (100 * x).int()),
        }[self.form]()


class Group(nn.Module):
    """Runs its children in the order of `runs`, some more than once, whatever the order in which they are registered;
    the result times `gain`."""

    def __init__(self, children: dict, registered: list, runs: list, gain: float = 1.0) -> None:
        super().__init__()
        for name in registered:
            self.add_module(name, children[name])
        self.runs, self.gain = runs, gain

    def forward(self, value: object) -> object:
        for name in self.runs:
            value = self.get_submodule(name)(value)
        return value * self.gain if isinstance(value, Tensor) else value


def build(spec: dict) -> nn.Module:
    """A tree of groups from names, orders, gains and the leaves' arguments."""
    if "runs" not in spec:
        return Leaf(**spec)
    children = {name: build(child) for name, child in spec["children"].items()}
    return Group(children, spec["registered"], spec["runs"], spec["gain"])


def first_nonfinite(lab: Submission, specs: list, inputs: Tensor, dtypes: list) -> list:
    """What `first_nonfinite` finds in each of the models."""
    return [lab.first_nonfinite(build(spec), inputs, dtype) for spec, dtype in zip(specs, dtypes, strict=True)]


class Linear(nn.Module):
    """A product with a weight."""

    def __init__(self, weight: Tensor) -> None:
        super().__init__()
        self.weight = nn.Parameter(weight.clone())

    def forward(self, x: Tensor) -> Tensor:
        return F.linear(x.float(), self.weight)


class Scale(nn.Module):
    """Brings what it gets down to numbers of about 1."""

    def forward(self, x: Tensor) -> Tensor:
        return F.normalize(torch.nan_to_num(x.float(), posinf=1.0, neginf=-1.0), dim=-1)


def linear_chain(names: list, weights: list) -> nn.Sequential:
    model = nn.Sequential()
    for name, weight in zip(names, weights, strict=True):
        model.add_module(name, Linear(weight))
        model.add_module(f"{name}_scaled", Scale())
    return model


def first_in_dtypes(lab: Submission, names: list, weights: list, inputs: Tensor, dtypes: list) -> list:
    """What `first_nonfinite` finds in a chain of linear layers, in each dtype."""
    model = linear_chain(names, weights)
    return [lab.first_nonfinite(model, inputs, dtype) for dtype in dtypes]


class Witness(nn.Module):
    """Notes how it is run: whether with gradients, in train mode, and the dtypes of products made in it."""

    def __init__(self, fails: bool = False) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(2, 2))
        self.fails = fails
        self.notes: list[list] = []

    def forward(self, x: Tensor) -> Tensor:
        products = F.linear(self.weight, self.weight), F.linear(self.weight.bfloat16(), self.weight.bfloat16())
        self.notes.append([torch.is_grad_enabled(), self.training, *(product.dtype for product in products)])
        if self.fails:
            raise ArithmeticError("the witness failed")
        return x * 1.0


def how_it_runs(lab: Submission, modes: list, dtypes: list, inputs: list) -> list:
    """For each pair of modes, of a model and of its first leaf, and each dtype: how `first_nonfinite` ran it, what it
    found, which modes they are in afterwards, and whether anything has a gradient."""
    seen = []
    for (mode, inner), dtype, x in zip(modes, dtypes, inputs, strict=True):
        witness = Witness()
        model = nn.Sequential(nn.Sequential(witness), Leaf())
        model.train(mode)
        witness.train(inner)
        found = lab.first_nonfinite(model, x, dtype)
        seen.append(
            {
                "found": found,
                "runs": witness.notes,
                "modes": [model.training, witness.training],
                "gradient": witness.weight.grad is not None or x.grad is not None,
                "grad_enabled": torch.is_grad_enabled(),
            }
        )
    return seen


def hooks_afterwards(lab: Submission, failing: list, spoils: list, inputs: Tensor, dtype: torch.dtype) -> list:
    """For each model, which fails where `failing` says so: what came of `first_nonfinite`, how many hooks are left on
    its modules and on all modules, beside one that was there, and the calls of that one by it and by a later run."""
    seen = []
    for fails, spoil in zip(failing, spoils, strict=True):
        calls: list[int] = []
        model = nn.Sequential(Leaf([spoil]), Leaf(), Witness(fails))
        model[0].register_forward_hook(lambda module, args, output, calls=calls: calls.append(1))
        before = _hooks(model)
        found = attempt(lambda model=model: lab.first_nonfinite(model, inputs, dtype))
        left = _hooks(model) - before
        model[0](inputs)
        seen.append({"found": found, "hooks": left, "calls": len(calls)})
    return seen


def _hooks(model: nn.Module) -> int:
    kinds = ("_forward_hooks", "_forward_pre_hooks", "_backward_hooks", "_backward_pre_hooks")
    everywhere = sum(len(getattr(torch_module, f"_global{kind}")) for kind in kinds)
    return everywhere + sum(len(getattr(module, kind)) for module in model.modules() for kind in kinds)


def global_norms(lab: Submission, gradients: list, scales: list) -> list:
    """The norm of each list of gradients, given as an iterator, with its scale (None: left out); twice."""
    return [
        [lab.global_norm(iter(some), *([] if scale is None else [scale])) for _ in range(2)]
        for some, scale in zip(gradients, scales, strict=True)
    ]


def monitor(lab: Submission, runs: list, report_at: list) -> list:
    """Monitors that record by turns, each a list of steps (keyword arguments of `record`) of its own.

    Reports the summaries of each after so many steps as `report_at` says (0: what it raised), and after the last.
    """
    monitors = [lab.Monitor() for _ in runs]
    seen: list[list] = [[attempt(one.summary)] if 0 in report_at else [] for one in monitors]
    for number in range(max(len(steps) for steps in runs)):
        for one, steps, reports in zip(monitors, runs, seen, strict=True):
            if number < len(steps):
                one.record(**steps[number])
                if number + 1 in report_at or number + 1 == len(steps):
                    reports.append(one.summary())
    return seen
