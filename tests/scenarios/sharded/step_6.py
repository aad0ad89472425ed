"""Scenarios of step 6 of Lab 03, puzzles: faulty and healthy runs, and what the probes find in them."""

import faulthandler
import os
import sys
import threading
import time
from collections.abc import Callable
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor, nn

from labkit.observe import Flag, Submission, attempt, traffic
from scenarios.sharded import hanging
from scenarios.sharded.common import all_gather, by_columns, network, own, squared_error
from scenarios.sharded.sharded_units import ShardedUnit, Twice

PATIENCE = 15.0  # seconds that a rank waits for the others' stacks
COLLECTIVES: dict[str, Callable[[Tensor], object]] = {
    "all_reduce": dist.all_reduce,
    "broadcast": lambda tensor: dist.broadcast(tensor, 0),
    "all_gather": lambda tensor: all_gather(
        tensor.new_empty(dist.get_world_size() * tensor.numel()), tensor.reshape(-1)
    ),
}


def waiting(lab: Submission, cases: list) -> list:
    """`waiting_ranks` of each case's `stacks` and `file`."""
    return [lab.waiting_ranks(case["stacks"], case["file"]) for case in cases]


def deadlock(lab: Submission, steps: int, rank: int, left_out: list) -> Any:
    """What `waiting_ranks` finds, on each rank, in the stacks of a run in which `rank` leaves a call out and all wait.

    When all have written their stack, a thread of this rank makes the call that is missing, and the run goes on.
    """
    groups = [dist.group.WORLD, dist.new_group()]
    missing, index = left_out
    is_odd = dist.get_rank() == rank
    ahead = (missing, index + 1) if index + 1 < len(hanging.CALLS) else (missing + 1, 0)
    stacks: list[str] = []
    written = [Flag(f"stack of rank {one}") for one in range(dist.get_world_size())]

    def watch(call: Callable[..., None]) -> None:
        stacks.append(stack_in(call))
        own(written).set()
        if is_odd and all(flag.wait(PATIENCE) for flag in written):
            hanging.CALLS[index](groups[index % 2])

    watchers: list[threading.Thread] = []

    def arrives(step: int, at: int) -> None:
        if (step, at) == (ahead if is_odd else (missing, index)):
            watchers.append(threading.Thread(target=watch, args=(hanging.CALLS[at],)))
            watchers[0].start()

    hanging.train(steps, groups, (missing, index) if is_odd else None, arrives)
    watchers[0].join()
    all_stacks = of_all_ranks(stacks[0])
    dist.destroy_process_group(groups[1])
    return lab.waiting_ranks(all_stacks, os.path.basename(hanging.__file__))


def stack_in(call: Callable[..., None]) -> str:
    """What `faulthandler` writes of this process while its main thread waits in `call`, in a collective call."""
    while not waits_in(call):
        time.sleep(0.001)
    reading, writing = os.pipe()
    with os.fdopen(reading) as stack:
        faulthandler.dump_traceback(writing, all_threads=True)
        os.close(writing)
        return stack.read()


def waits_in(call: Callable[..., None]) -> bool:
    frame = sys._current_frames().get(threading.main_thread().ident or 0)
    in_torch = frame is not None and frame.f_code.co_filename.endswith("distributed_c10d.py")
    while frame is not None and frame.f_code is not call.__code__:
        frame = frame.f_back
    return in_torch and frame is not None


def differences(lab: Submission, cases: list) -> list:
    """`first_difference` of each case, a list of every rank's calls."""
    return [lab.first_difference([logged(calls) for calls in ranks]) for ranks in cases]


def logged(calls: list) -> list[dict]:
    """Of [name, dtype, shape]: as a log has it, with a time of its own."""
    return [
        {"seconds": time.monotonic(), "shape": tuple(shape), "name": name, "dtype": dtype}
        for name, dtype, shape in calls
    ]


def differences_of_ranks(lab: Submission, cases: list) -> list:
    """The same, where the log of each rank is of calls that it makes. Its calls are `case[rank]`.

    Ranks that are about to part would abort or hang: they learn it from each other first, and make the calls that
    follow alone, without the group.
    """
    found = []
    for ranks in cases:
        log: list[dict] = []
        together = True
        for name, dtype, shape in own(ranks):
            tensor = torch.zeros(shape, dtype=dtype)
            log += logged([[name, tensor.dtype, tensor.shape]])
            together = together and all_equal([name, dtype, shape])
            if together:
                COLLECTIVES[name](tensor)
        if together:
            all_equal(None)  # this log ends, another one may not
        found.append(lab.first_difference(of_all_ranks(log)))
    return found


def all_equal(value: object) -> bool:
    values = of_all_ranks(value)
    return all(one == values[0] for one in values)


def of_all_ranks(value: object) -> list[Any]:
    values: list[Any] = [None] * dist.get_world_size()
    dist.all_gather_object(values, value)
    return values


def odd(lab: Submission, cases: list) -> list:
    """`odd_ranks` of a tensor that has `case["dtypes"][rank]` and `case["shapes"][rank]`; `case["layouts"][rank]`:
    whether its elements lie in memory in another order."""
    found = []
    for case in cases:
        tensor = torch.ones(own(case["shapes"]), dtype=own(case["dtypes"]))
        if own(case["layouts"]):
            tensor = tensor.mT.contiguous().mT
        found.append(lab.odd_ranks(tensor))
    return found


def asked(lab: Submission, cases: list) -> list:
    """For each case, a tensor for each rank: `odd_ranks`, the tensor then, whether it still requires a gradient, bytes
    sent, and the sum over the ranks of a call behind it."""
    seen = []
    for tensors in cases:
        tensor = own(tensors).clone().requires_grad_()
        with traffic() as calls:
            found = lab.odd_ranks(tensor)
        total = torch.tensor(float(dist.get_rank() + 1))
        dist.all_reduce(total)
        seen.append(
            {
                "odd": found,
                "tensor": tensor.detach(),
                "leaf": tensor.requires_grad and tensor.grad is None,
                "sent": sum(call["bytes"] for call in calls),
                "sum": total.item(),
            }
        )
    return seen


def drifting(lab: Submission, state: list, buffers: dict, steps: list, faults: list) -> list:
    """What `drifted` finds before the first step of a data parallel training and after each, and whether the model was
    still the same then.

    A fault of `faults` has a "step" and a "kind". "start": right behind that step, `entry` is set to `value` on `rank`;
    "skipped": `rank` does not make that step; "own gradient": from that step on no rank averages that of `entry`.
    """
    model = network(state)
    for name, buffer in buffers.items():
        model.register_buffer(name, buffer.clone())
    model[0].bias.requires_grad_(False)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.05)
    not_averaged: set[str] = set()
    seen = []
    for number in range(len(steps) + 1):
        now = [fault for fault in faults if fault["step"] == number]
        not_averaged |= {fault["entry"] for fault in now if fault["kind"] == "own gradient"}
        here = [fault["kind"] for fault in now if fault.get("rank") == dist.get_rank()]
        if number:
            train_step(model, optimizer, own(steps[number - 1]), not_averaged, skipped="skipped" in here)
        for fault in now:
            if fault["kind"] == "start" and fault["rank"] == dist.get_rank():
                model.state_dict()[fault["entry"]].copy_(fault["value"])
        before = everything(model)
        found = lab.drifted(model)
        seen.append({"found": found, "same": same_bits(before, everything(model))})
        optimizer.zero_grad()
    return seen


def train_step(
    model: nn.Module, optimizer: torch.optim.Optimizer, batches: list, not_averaged: set[str], skipped: bool
) -> None:
    for x, y in batches:
        squared_error(model(x), y).backward()
    for name, parameter in model.named_parameters():
        if name not in not_averaged and parameter.grad is not None:
            dist.all_reduce(parameter.grad)
            parameter.grad /= dist.get_world_size()
    if not skipped:
        optimizer.step()


def everything(model: nn.Module) -> list[Any]:
    """Copies of all that a probe could change: values, gradients, and what trains."""
    grads = [None if one.grad is None else one.grad.clone() for one in model.parameters()]
    flags = [(one.requires_grad, one.dtype) for one in model.parameters()]
    return [{name: value.clone() for name, value in model.state_dict().items()}, grads, flags, model.training]


def same_bits(before: list, after: list) -> bool:
    tensors = [[*part[0].values(), *(one for one in part[1] if one is not None)] for part in (before, after)]
    return before[2:] == after[2:] and all(bits(one).equal(bits(other)) for one, other in zip(*tensors, strict=True))


def bits(tensor: Tensor) -> Tensor:
    return tensor.detach().reshape(-1).contiguous().view(torch.uint8)


def drifted_entries(lab: Submission, cases: list) -> list:
    """What `drifted` finds in a module whose parts have the entries `case[rank]`, and the bytes that it sent.

    The first part has another name too, "again". What differs between the ranks and does not count: a buffer that is
    not saved, memory around an entry, and the order in memory of a matrix.
    """
    rank, seen = dist.get_rank(), []
    for case in cases:
        module = nn.Module()
        module.register_buffer("scratch", torch.full((2,), rank), persistent=False)
        for name, value in own(case).items():
            flat = torch.cat([value.reshape(-1), value.new_full((1,), rank)])[:-1]
            matrix = value.dim() > 1 and rank % 2 == 1
            module.add_module(name, nn.Module())
            module.get_submodule(name).register_buffer("entry", by_columns(value) if matrix else flat.view(value.shape))
        module.add_module("again", module.get_submodule(next(iter(own(case)))))
        with traffic() as calls:
            found = lab.drifted(module)
        seen.append({"found": found, "sent": sum(call["bytes"] for call in calls)})
    return seen


def sharded_run(state: list, kept: list, order: list, run: int = 0) -> tuple[dict[str, nn.Module], nn.Module]:
    """Named units of a sharded network, and the network. `kept[unit]` has the indices of the parameters that are not
    freed after the unit's forward and backward passes; a unit that runs twice keeps them in its forward pass `run`."""
    layers: list[nn.Module] = []
    for weight, bias in state:
        linear = nn.Linear(weight.shape[1], len(weight))
        linear.weight.data, linear.bias.data = weight.clone(), bias.clone()
        layers.append(nn.Sequential(linear))
    units: dict[str, nn.Module] = {}
    for layer, (forward, backward) in zip(layers, kept, strict=True):
        ShardedUnit(layer, forward, backward, run if order.count(len(units)) > 1 else 0)
        units[f"unit{len(units)}"] = layer
    return units, Twice(layers, order)


def kept(lab: Submission, cases: list) -> list:
    """What `kept_whole` finds in a step of each case's network, and in the next one."""
    found = []
    for case in cases:
        units, model = sharded_run(case["state"], case["kept"], case["order"], case["run"])

        def step(model: nn.Module = model, x: Tensor = case["x"]) -> None:
            model(x).square().sum().backward()

        found.append([lab.kept_whole(units, step) for _ in range(2)])
    return found


def hooks_of(units: dict[str, nn.Module]) -> list[list[int]]:
    """How many hooks of each kind every module and parameter in the units has, and all modules together."""
    kinds = ("_forward_hooks", "_forward_pre_hooks", "_backward_hooks", "_backward_pre_hooks")
    found = [[len(getattr(one, kind)) for kind in kinds] for unit in units.values() for one in unit.modules()]
    of_tensors = ("_backward_hooks", "_post_accumulate_grad_hooks")
    parameters = [one for unit in units.values() for one in unit.parameters()]
    found += [[len(getattr(one, kind) or ()) for kind in of_tensors] for one in parameters]
    return [*found, [len(getattr(torch.nn.modules.module, f"_global{kind}")) for kind in kinds]]


def looked_at(lab: Submission, state: list, kept: list, x: Tensor) -> dict:
    """Around three calls of `kept_whole`, of which the second one's step raises when it has run, and the third one's is
    interrupted: the outputs, what was found and raised, the gradients, and whether hooks were left or the storages
    changed."""
    units, model = sharded_run(state, kept, list(range(len(state))))
    outputs, hooks, sizes = [], hooks_of(units), []

    def step() -> str:
        output = model(x)
        output.square().sum().backward()
        outputs.append(output.detach().clone())
        sizes.append([one.untyped_storage().nbytes() for one in model.parameters()])
        return "what a step gives plays no part"

    def broken_step() -> None:
        step()
        raise ArithmeticError("the loss is nan")

    def interrupted_step() -> None:
        step()
        raise KeyboardInterrupt

    found = lab.kept_whole(units, step)
    after = [one.untyped_storage().nbytes() for one in model.parameters()]
    gradients = [one.grad.clone() for one in model.parameters()]
    raised = attempt(lambda: lab.kept_whole(units, broken_step))
    try:
        interrupted = bool(lab.kept_whole(units, interrupted_step)) and False
    except KeyboardInterrupt:
        interrupted = True
    return {
        "interrupted": interrupted,
        "found": found,
        "outputs": outputs,
        "raised": raised,
        "gradients": gradients,
        "same storages": sizes[:1] == [after],
        "hooks left": hooks_of(units) != hooks,
    }
