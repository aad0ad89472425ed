"""Step 3, overlap: what the graded suite makes the code under test do, on every rank."""

import itertools
from collections.abc import Callable
from contextlib import nullcontext, suppress

import torch
import torch.distributed as dist
from torch import Tensor, nn

from labkit.observe import Flag, Submission, attempt, traffic
from scenarios.data_parallel.common import Holder, column_by_column, gradients, places, tensors, weights

PATIENCE = 8.0  # seconds that a late rank waits for the other one to finish its layers


def wrap(lab: Submission, module: nn.Module, cap: int | None = None, dtype: torch.dtype | None = None) -> nn.Module:
    """`module` in the code under test; what is None is left out."""
    options = {"cap_bytes": cap, "dtype": dtype}
    return lab.DataParallel(module, **{name: value for name, value in options.items() if value is not None})


def start(lab: Submission, values: list, buffers: list, frozen: list, tied: list) -> dict:
    """What is in the module of each rank once it is wrapped, from `values[rank]` and `buffers[rank]`."""
    rank = dist.get_rank()
    module = Holder(values[rank], frozen, tied, buffers[rank], turned=True)
    before = places(module)
    model = wrap(lab, module)
    return {
        "parameters": weights(module),
        "buffers": [buffer.clone() for buffer in module.buffers()],
        "same places": before == places(module),
        "inside": model.module is module,
        "own parameters": sorted(map(id, model.parameters())) == sorted(map(id, module.parameters())),
    }


def refused(lab: Submission, cases: list) -> list:
    """For each case the wrapping of the model that this rank makes as `case[rank]` says; what it raised and left, and
    the calls of a backward pass of the module after it.
    """
    seen = []
    for case in cases:
        made = dict(case[dist.get_rank()])
        cap, meta = made.pop("cap", None), made.pop("meta", False)
        module = Holder(**made)
        left = tensors(module)
        if meta:
            module.elsewhere = nn.Linear(2, 2, device="meta")
        raised = attempt(lambda module=module, cap=cap: wrap(lab, module, cap) and None)
        seen.append({"raised": raised, "left": [one.detach().clone() for one in left]})
        trained = [one for one in module.parameters() if one.requires_grad and not one.is_meta]
        with traffic() as calls:
            if trained:
                torch.stack([one.sum() for one in trained]).sum().backward()
        seen[-1]["calls"] = [call["name"] for call in calls]
    return seen


def passes(
    lab: Submission,
    values: list,
    steps: list,
    cap: int | None = None,
    dtype: torch.dtype | None = None,
    frozen: list | tuple = (),
    tied: list | tuple = (),
    synced: list | None = None,
    clear: list | None = None,
    turned: bool = False,
    evaluated: tuple | list = (),
) -> list:
    """Backward passes whose gradients on this rank are `steps[step][rank]`; gradients and calls after each.

    The steps in `evaluated` run in eval mode. `synced[step]` says which run outside of `no_sync`; `clear[step]` what is
    done with the gradients before it, "none", "zeros" or "keep".
    """
    rank = dist.get_rank()
    module = Holder(values[rank], frozen, tied, turned=turned)
    model = wrap(lab, module, cap, dtype)
    seen = []
    for step, coefficients in enumerate(steps):
        how = "none" if clear is None else clear[step]
        if how != "keep":
            model.zero_grad(set_to_none=how == "none")
        model.train(step not in evaluated)
        with traffic() as calls, nullcontext() if synced is None or synced[step] else model.no_sync():
            model(coefficients[rank]).backward()
        seen.append({"gradients": gradients(module), "calls": calls})
    return seen


def default_cap(lab: Submission, size: int, count: int) -> list:
    """The calls of the third backward pass of `count` parameters of size x size, with the cap left out."""
    module = Holder([torch.zeros(size, size)] * count)
    model = wrap(lab, module)
    for _ in range(2):  # torch's DDP makes its buckets again in the second
        model([1.0] * count).backward()
    with traffic() as calls:
        model([1.0] * count).backward()
    return calls


class Mixed(nn.Module):
    """Takes and gives more than a tensor."""

    def __init__(self, weight: Tensor) -> None:
        super().__init__()
        self.weight = nn.Parameter(weight.clone())

    def forward(self, inputs: Tensor, *more: Tensor, scale: float = 1.0, extra: dict | None = None) -> dict:
        product = inputs * self.weight * scale
        return {"product": product, "rest": [*more, len(extra or {})], "extra": extra}


def pass_through(lab: Submission, weight: Tensor, inputs: list, scale: float, extra: dict) -> dict:
    """What a module of several arguments, keywords and outputs gives in train and in eval mode."""
    model = wrap(lab, Mixed(weight))
    seen = {}
    for mode in ("train", "eval"):
        getattr(model, mode)()
        output = model(*inputs, scale=scale, extra=extra)
        seen[mode] = {"product": output["product"].detach(), "rest": output["rest"], "extra": output["extra"]}
    return seen


def network(sizes: list, state: list) -> nn.Sequential:
    """Linear layers and Tanh by turns, with the parameters `state`."""
    layers = [layer for size, after in itertools.pairwise(sizes) for layer in (nn.Linear(size, after), nn.Tanh())]
    model = nn.Sequential(*layers)
    with torch.no_grad():
        for parameter, value in zip(model.parameters(), state, strict=True):
            parameter.copy_(value)
    return model


def train(lab: Submission, sizes: list, states: list, batches: list, lr: float, cap: int) -> list:
    """Steps of SGD on `batches[step][rank]`, from `states[rank]`; the weights after each."""
    rank = dist.get_rank()
    module = network(sizes, states[rank])
    model = wrap(lab, module, cap)
    optimizer = torch.optim.SGD(model.parameters(), lr=lr, momentum=0.9)
    seen = []
    for batch in batches:
        inputs, targets = batch[rank]
        optimizer.zero_grad()
        nn.functional.mse_loss(model(inputs), targets).backward()
        optimizer.step()
        seen.append(weights(module))
    return seen


class Counting(nn.Module):
    """A layer whose buffers every training forward pass changes, each rank's by its own inputs.

    `count` changes in place and is not contiguous, `total` is assigned, `last` is None before the first pass.
    """

    def __init__(self, weight: Tensor, total: Tensor, count: Tensor) -> None:
        super().__init__()
        self.weight = nn.Parameter(weight.clone())
        self.register_buffer("total", total.clone())
        self.register_buffer("count", column_by_column(count), persistent=False)
        self.register_buffer("last", None)
        self.found: list[list[Tensor]] = []

    def forward(self, inputs: Tensor) -> Tensor:
        self.found.append([buffer.clone() for buffer in self.buffers()])
        if self.training:
            self.total = self.total + inputs
            self.count += (inputs > 0).sum()
            self.last = inputs.clone()
        return (inputs * self.weight).sum()


def buffers_found(
    lab: Submission, weight: Tensor, totals: list, counts: list, inputs: list, modes: list, dtype: torch.dtype
) -> list:
    """The buffers that each training forward pass finds, of the inputs `inputs[step][rank]`, and those that it leaves.

    `modes[step]` is "synced", "no_sync", or "no_grad" for a pass under torch.no_grad().
    """
    rank = dist.get_rank()
    module = Counting(weight, totals[rank], counts[rank])
    model = wrap(lab, module, dtype=dtype)
    left = []
    for step, mode in zip(inputs, modes, strict=True):
        if mode == "no_grad":
            with torch.no_grad():
                model(step[rank])
        else:
            with nullcontext() if mode == "synced" else model.no_sync():
                model(step[rank]).backward()
        left.append([buffer.clone() for buffer in module.buffers()])
    return [{"found": one, "left": other} for one, other in zip(module.found, left, strict=True)]


def backward_noting(model: nn.Module, module: nn.Module, inputs: Tensor, note: Callable[[int], None]) -> None:
    """Forward and backward of `model`, which wraps `module`: `note(i)` before the backward of its i-th Linear, and
    `note(-1)` once all of them are over.
    """

    def watch(number: int, hidden: Tensor) -> None:
        hidden.register_hook(lambda _: note(number))

    linears = [layer for layer in module.modules() if isinstance(layer, nn.Linear)]
    hooks = [
        linear.register_forward_hook(lambda _linear, _inputs, hidden, number=number: watch(number, hidden))
        for number, linear in enumerate(linears)
    ]
    first = inputs.clone().requires_grad_() * 1.0
    watch(-1, first)
    model(first).sum().backward()
    for hook in hooks:
        hook.remove()


def events(lab: Submission, sizes: list, state: list, inputs: list, cases: list) -> list:
    """For each case, in a backward pass: calls, and an event {"layer": i} before the backward pass of layer i.

    Two others come before it, and with `accumulates` a third, inside `no_sync`.
    """
    own, seen = inputs[dist.get_rank()], []
    for case in cases:
        module = network(sizes, state)
        model = wrap(lab, module, case["cap"], case["dtype"])
        for _ in range(2):  # torch's DDP makes its buckets again in the second
            model(own).sum().backward()
        if case["accumulates"]:
            with model.no_sync():
                model(own).sum().backward()
        with traffic() as calls:
            backward_noting(model, module, own, lambda layer, calls=calls: calls.append({"layer": layer}))
        seen.append(calls)
    return seen


def late(
    lab: Submission,
    sizes: list,
    state: list,
    inputs: list,
    cap: int,
    late_rank: int,
    dtype: torch.dtype | None = None,
    accumulates: bool = False,
) -> dict:
    """A backward pass in which one rank waits, before its last layer, until the other rank is through all layers.

    `through`: whether it came through before that rank's patience was over. And this rank's gradients. With
    `accumulates` a pass inside `no_sync` comes before it.
    """
    rank, module = dist.get_rank(), network(sizes, state)
    model = wrap(lab, module, cap, dtype)
    if accumulates:
        with model.no_sync():
            model(inputs[rank]).sum().backward()
    flag = Flag("through all layers")
    through: list[bool] = []

    def note(layer: int) -> None:
        if rank == late_rank and layer == len(sizes) - 2:
            through.append(flag.wait(PATIENCE))
        elif rank != late_rank and layer == -1:
            flag.set()

    backward_noting(model, module, inputs[rank], note)
    return {"through": through, "gradients": gradients(module)}


def no_sync(lab: Submission, values: list, steps: list, cap: int) -> dict:
    """Backward passes, each of `steps[...][rank]`, inside and after nested `no_sync`, and after one that raised."""
    rank = dist.get_rank()
    module = Holder(values, ())
    model = wrap(lab, module, cap)
    passing = iter(steps)
    seen: dict = {}

    def run(name: str) -> None:
        model.zero_grad()
        with traffic() as calls:
            model(next(passing)[rank]).backward()
        seen[name] = {"gradients": gradients(module), "calls": calls}

    with model.no_sync():
        with model.no_sync():
            run("in the inner")
        run("in the outer again")
    run("after both")

    def raises(_: Tensor) -> None:
        raise ArithmeticError("inside no_sync")

    def fails() -> None:
        """In the middle of a backward pass: the other parameters have their gradients."""
        hook = module.layers[0].weight.register_hook(raises)
        try:
            with model.no_sync():
                model(steps[0][rank]).backward()
        finally:
            hook.remove()

    with model.no_sync():
        attempt(fails)
        run("in the outer after an exception")
    with suppress(KeyboardInterrupt), model.no_sync():
        raise KeyboardInterrupt
    run("after an interrupt")
    seen["raised"] = attempt(fails)
    run("after an exception")
    return seen
