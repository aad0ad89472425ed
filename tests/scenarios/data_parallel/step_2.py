"""Step 2, buckets: what the graded suite makes the code under test do."""

from contextlib import nullcontext

import torch
import torch.distributed as dist

from labkit.observe import Submission, attempt, traffic
from scenarios.data_parallel.common import Holder, give_gradients, gradients, group_of_one, weights


def buckets(lab: Submission, cases: list) -> list:
    """`make_buckets` of each case: parameters of these shapes and dtypes, and a cap; or what it raised."""
    seen = []
    for case in cases:
        pairs = zip(case["shapes"], case["dtypes"], strict=True)
        parameters = [  # each with a half of its storage
            torch.nn.Parameter(torch.zeros((2, *shape), dtype=dtype)[1]) for shape, dtype in pairs
        ]
        seen.append(attempt(lambda case=case, given=parameters: lab.make_buckets(given, case["cap"])))
    return seen


def average(lab: Submission, cases: list) -> list:
    """For each case: gradients and calls of each `average_in_buckets`, with `steps[step][rank]` as they were.

    The parameter `freezes` trains in the first step alone.
    """
    seen = []
    for case in cases:
        model = Holder(case["values"], case.get("frozen", ()), case.get("tied", ()), turned=case.get("turned", False))
        dtype = {"dtype": case["dtype"]} if "dtype" in case else {}
        after = []
        for number, step in enumerate(case["steps"]):
            if number and "freezes" in case:
                model.layers[case["freezes"]].weight.requires_grad_(False)
            give_gradients(model, step[dist.get_rank()])
            with traffic() as calls:
                lab.average_in_buckets(model, case["cap"], **dtype)
            after.append({"gradients": gradients(model), "calls": calls})
        seen.append(after)
    return seen


def refused(lab: Submission, values: list, own: list, cases: list) -> list:
    """`average_in_buckets` with the cap of each case, in a group of one or without a group: what it raised and left."""
    seen = []
    for cap, in_a_group in cases:
        model = Holder(values)
        give_gradients(model, own)
        with group_of_one() if in_a_group else nullcontext():
            raised = attempt(lambda model=model, cap=cap: lab.average_in_buckets(model, cap))
        left = [layer.weight.grad for layer in model.layers]
        seen.append({"raised": raised, "gradients": left, "parameters": weights(model)})
    return seen
