"""Scenarios of step 1 of Lab 03, shards: what the suite makes the code under test do."""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from labkit.observe import Submission, attempt


def shards(lab: Submission, tensors: list, counts: list) -> list:
    """For each tensor and its number of ranks: the shards of all ranks."""
    return [
        [lab.shard(tensor, rank, count) for rank in range(count)] for tensor, count in zip(tensors, counts, strict=True)
    ]


def unsharded(lab: Submission, cases: list) -> list:
    """`unshard` of each case's `shards` and `shape`."""
    return [lab.unshard(case["shards"], tuple(case["shape"])) for case in cases]


def flattened(lab: Submission, cases: list) -> list:
    """`flatten` of each case's `tensors` for its `ranks`."""
    return [lab.flatten(case["tensors"], case["ranks"]) for case in cases]


def layouts(lab: Submission, matrix: Tensor, count: int) -> dict:
    """Shards, their storages' bytes, and `flatten`, of tensors that are not contiguous, 0-d, empty, or in a graph."""
    leaf = matrix.clone().requires_grad_()
    tensors = {
        "transposed": matrix.T,
        "every second column": matrix[:, ::2],
        "0-d": matrix[0, 0],
        "empty": matrix[:0],
        "in a graph": leaf * 1.0,
    }
    seen = {}
    for name, tensor in tensors.items():
        parts = [lab.shard(tensor, rank, count) for rank in range(count)]
        seen[name] = {
            "shards": parts,
            "bytes": [one.untyped_storage().nbytes() for one in parts],
            "flat": lab.flatten([tensor, matrix], count),
            "flat alone": lab.flatten([tensor], count),
        }
    return seen


def memory(lab: Submission, tensor: Tensor, count: int) -> dict:
    """What each function's result holds: the bytes of its storage, whether it has a graph, and what becomes of it and
    of its input if the input, or the result, is set to -1; and where it is, if another device is the default."""
    makers: dict[str, Callable[[Tensor], Any]] = {
        "shard": lambda whole: lab.shard(whole, 0, count),
        "flatten one": lambda whole: lab.flatten([whole], count),
        "unshard one": lambda whole: lab.unshard([whole.reshape(-1)], tuple(whole.shape)),
    }
    seen = {}
    for name, make in makers.items():
        whole = tensor.clone().requires_grad_() if name != "unshard one" else tensor.clone()
        result = make(whole)
        with torch.no_grad():
            before = result.clone()
            whole.fill_(-1)
            after = result.clone()
            result.fill_(-2)
        with torch.device("meta"):
            device = make(tensor).device
        seen[name] = {
            "device": "its input's" if device == tensor.device else str(device),
            "bytes": result.untyped_storage().nbytes(),
            "graph": result.requires_grad,
            "result": [before, after],
            "input": whole.detach(),
        }
    return seen


def refused(lab: Submission, tensor: Tensor, count: int) -> dict:
    """What each of these bad calls raised, and what two good ones give."""
    size = -(-tensor.numel() // count)
    parts = [torch.zeros(size) for _ in range(count)]
    calls: dict[str, Callable[[], object]] = {
        "shard, rank == ranks": lambda: lab.shard(tensor, count, count),
        "shard, rank -1": lambda: lab.shard(tensor, -1, count),
        "shard, no ranks": lambda: lab.shard(tensor, 0, 0),
        "unshard, no shards": lambda: lab.unshard([], tuple(tensor.shape)),
        "unshard, a shard missing": lambda: lab.unshard(parts[1:], tuple(tensor.shape)),
        "unshard, shards too long": lambda: lab.unshard([*parts, *parts], tuple(tensor.shape)),
        "unshard, one shard longer": lambda: lab.unshard([*parts[1:], torch.zeros(size + 1)], tensor.shape),
        "unshard, one longer, one shorter": lambda: lab.unshard(
            [torch.zeros(size + 1), *parts[2:], torch.zeros(size - 1)], tensor.shape
        ),
        "unshard, no padding": lambda: lab.unshard(
            [*parts[1:], torch.zeros(tensor.numel() - size * (count - 1))], tensor.shape
        ),
        "unshard, all shards longer": lambda: lab.unshard([torch.zeros(3)] * count, (2 * count,)),
        "flatten, nothing": lambda: lab.flatten([], count),
        "flatten, two dtypes": lambda: lab.flatten([tensor, tensor.to(torch.bfloat16)], count),
        "flatten, three dtypes": lambda: lab.flatten([tensor, tensor.to(torch.bfloat16), tensor.double()], count),
        "flatten, two devices": lambda: lab.flatten([tensor.cpu(), tensor.to("meta")], count),
        "flatten, an empty one": lambda: lab.flatten([tensor, tensor, tensor[:0].to(torch.bfloat16)], count),
    }
    good = {"shard, good": lab.shard(tensor, count - 1, count), "flatten, good": lab.flatten([tensor, tensor], count)}
    return {name: attempt(call) for name, call in calls.items()} | good
