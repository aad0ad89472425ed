"""Step 1, averages: what the graded suite makes the code under test do, on every rank."""

from typing import Any

import torch.distributed as dist

from labkit.observe import Submission, attempt
from labkit.observe.values import Raised
from scenarios.data_parallel.common import Holder, give_gradients, gradients, group_of_one, places, tensors, weights


def broadcast(lab: Submission, values: list, buffers: list, source: int | None, **options: Any) -> dict:
    """`broadcast_model` of a model with `values[rank]` and `buffers[rank]`; the source is left out where it is None."""
    rank = dist.get_rank()
    model = Holder(values[rank], buffers=buffers[rank], **options)
    before = places(model)
    lab.broadcast_model(model, **({} if source is None else {"source": source}))
    return {
        "parameters": weights(model),
        "buffers": [buffer.clone() for buffer in model.buffers()],
        "same places": before == places(model),
        "trained": [parameter.requires_grad for parameter in model.parameters()],
    }


def broadcast_of_models_that_differ(lab: Submission, cases: list, source: int) -> list:
    """For each case `broadcast_model` of models that each rank makes as `case[rank]` says; what it raised and left.

    The layer `shares` has the parameter of the first one instead of its own.
    """
    seen = []
    for case in cases:
        made = dict(case[dist.get_rank()])
        shares = made.pop("shares", None)
        model = Holder(**made)
        if shares is not None:
            model.layers[shares].weight = model.layers[0].weight
        raised = attempt(lambda model=model: lab.broadcast_model(model, source))
        seen.append({"raised": raised, "left": [one.detach().clone() for one in tensors(model)]})
    return seen


def average(lab: Submission, cases: list) -> list:
    """For each case: gradients of a model after each `average_gradients`, with `steps[step][rank]` as they were."""
    seen = []
    for case in cases:
        model = Holder(case["values"], case.get("frozen", ()), case.get("tied", ()), turned=case.get("turned", False))
        after = []
        for step in case["steps"]:
            give_gradients(model, step[dist.get_rank()])
            lab.average_gradients(model)
            after.append(gradients(model))
        seen.append(after)
    return seen


def means(lab: Submission, totals: list, counts: list) -> list:
    """`mean_over_ranks` of each pair that this rank has, or what it raised."""
    rank = dist.get_rank()
    pairs = zip(totals[rank], counts[rank], strict=True)
    return [attempt(lambda total=total, count=count: lab.mean_over_ranks(total, count)) for total, count in pairs]


def one_process(lab: Submission, values: list, own: list, total: float, count: int) -> dict:
    """The functions of step 1 in a process without a group, and in a group of one: what they raised, gave and left."""

    def run() -> dict:
        model = Holder(values)
        give_gradients(model, own)
        calls = {
            "broadcast_model": lambda: lab.broadcast_model(model),
            "average_gradients": lambda: lab.average_gradients(model),
            "mean_over_ranks": lambda: lab.mean_over_ranks(total, count),
        }
        gave = {name: attempt(call) for name, call in calls.items()}
        raised = [name for name, value in gave.items() if isinstance(value, Raised)]
        return {
            "raised": raised,
            "mean": gave["mean_over_ranks"],
            "parameters": weights(model),
            "gradients": [layer.weight.grad for layer in model.layers],
        }

    without = run()
    with group_of_one():
        return {"without": without, "alone": run()}
