"""Step 2, a sharded optimizer: one behaviour a test, judged by the values that a scenario brought back."""

import math

import torch

from labkit.judge.expect import Tolerance, expect
from references.sharded.common import AdamW, Sgd, drawn_sizes, drawn_state, drawn_steps, gradients_of
from references.sharded.step_2 import drawn_gradients, drawn_parameters, stepped
from scenarios.sharded import step_2 as scenarios
from suites.sharded.common import ADAM, EXACT, FLOAT32, bytes_sent, expect_training, expect_value_error

BFLOAT16 = Tolerance("rounded once, to bfloat16", ulps=0.51)


def expect_parameters(seen: list, history: list, why: str, tolerance: Tolerance = FLOAT32, dtype=torch.float32) -> None:
    """The parameters of both ranks after each step."""
    for rank, one in enumerate(seen):
        for step, (parameters, expected) in enumerate(zip(one["parameters"], history, strict=True)):
            for index, (parameter, wanted) in enumerate(zip(parameters, expected, strict=True)):
                what = f"parameter {index} on rank {rank} after step {step + 1}"
                expect(parameter, what).close_to(wanted, tolerance, why, dtype)


def test_zero1_trains_like_one_process_with_sgd(observe, draw):
    """SGD with momentum on two ranks makes the steps of one process on the batches of both."""
    expect_training(observe, draw, "zero1", "sgd")


def test_zero1_trains_like_one_process_with_adamw(observe, draw):
    """So does AdamW, with weight decay."""
    expect_training(observe, draw, "zero1", "adamw")


def test_each_rank_holds_its_share_of_the_state(observe, draw):
    """The moments of AdamW lie on one rank each, and are those of one process; no rank holds more than its share,
    neither in the optimizer's state nor elsewhere."""
    sizes = drawn_sizes(draw, least=6)  # padding is little beside a shard
    state, steps = drawn_state(draw, sizes), drawn_steps(draw, sizes, 2)
    settings = {"lr": 0.01, "weight_decay": 0.1}
    weights, whole = [tensor.double() for pair in state for tensor in pair], AdamW(**settings)
    for ranks in steps:
        weights = whole.step(weights, gradients_of(weights, ranks))
    weights = whole.step(weights, [torch.zeros_like(one) for one in weights])  # the last step has no gradients
    numel = sum(one.numel() for one in weights)
    most = math.ceil(numel / 2) + len(weights)  # of padding, one number for each parameter
    # The whole weights and this rank's shard, after a step with two moments; and something small, a fifth of a whole.
    alive = [4 * (numel + shards * most) + 4 * numel // 5 for shards in (1, *[3] * (len(steps) + 1))]
    seen = observe(scenarios.held, ranks=2, state=state, steps=steps, settings=settings, most=alive)
    for name, moments in (("exp_avg", whole.first), ("exp_avg_sq", whole.second)):
        parts = [one["state"].get(name, torch.zeros(0)) for one in seen]
        for rank, part in enumerate(parts):
            expect(len(part), f"numbers of {name} on rank {rank}, of {numel}").less_than(
                most + 1, "the optimizer of a rank is made of its shard: state of all parameters saves nothing"
            )
        expected = torch.cat([one.flatten() for one in moments]).sort().values
        together = torch.cat(parts)
        expect(together[together != 0].sort().values, f"{name} of both ranks, sorted").close_to(
            expected, Tolerance("float32 rounding", rtol=1e-3, atol=1e-6),
            "each moment is on one rank, and is that of the gradient averaged over the ranks", torch.float32,
        )  # fmt: skip
    for rank, one in enumerate(seen):
        expect(one["rest"], f"besides the state it is the state_dict of the optimizer, rank {rank}").equals(
            True, "the settings of the groups belong to a checkpoint too: give the optimizer's own state_dict"
        )
        expect(len(one["alive"]), f"moments on rank {rank}").equals(len(alive), "every step is made")
        for step, (size, limit) in enumerate(zip(one["alive"], alive, strict=True)):
            what = f"bytes alive besides gradients on rank {rank} after {step} steps, of {4 * numel} of whole weights"
            expect(size, what).less_than(
                limit + 1, "whole vectors are freed again: a slice of one keeps all of it, and so does an attribute"
            )


def test_master_shards_are_float32(observe, draw):
    """One optimizer is made, of this rank's share alone, in float32; of bfloat16 and float64 parameters too."""
    for dtype in (torch.float32, torch.bfloat16, torch.float64):
        tensors = [one.to(dtype) for one in drawn_parameters(draw)]
        numel = sum(one.numel() for one in tensors)
        for rank, made in enumerate(observe(scenarios.owned, ranks=2, tensors=tensors)):
            what = f"{dtype} parameters, rank {rank}"
            expect(len(made), f"{what}: optimizers made").equals(1, "the class is called once, in __init__")
            expect(made[0][1], f"{what}: dtypes that the optimizer steps").equals(
                ["torch.float32"], "this rank's part of the weights is kept in float32"
            )
            expect(made[0][0], f"{what}: elements that the optimizer steps, of {numel}").less_than(
                math.ceil(numel / 2) + len(tensors) + 1, "the optimizer gets this rank's shard, not all parameters"
            )
            expect(made[0][0], f"{what}: elements that the optimizer steps, of {numel}").more_than(
                numel // 2 - 1, "both ranks together step every element"
            )


def test_small_updates_of_bfloat16_add_up(observe, draw):
    """Updates that bfloat16 rounds away are kept in the float32 shard, until the weight shows them."""
    signs = [one.sign() for one in drawn_parameters(draw)]
    tensors = [sign.to(torch.bfloat16) for sign in signs]
    count, size = 8, draw.number(0.9e-3, 1.1e-3)
    steps = [[[(-sign).to(torch.bfloat16) for sign in signs] for _ in range(2)] for _ in range(count)]
    seen = observe(scenarios.stepped, ranks=2, tensors=tensors, steps=steps, optimizer="sgd", settings={"lr": size})
    history = [[sign.double() * (1 + size * (step + 1)) for sign in signs] for step in range(count)]
    expect_parameters(
        seen, history, "1 + 0.001 is 1 in bfloat16: the optimizer steps float32 shards, parameters get them rounded",
        BFLOAT16, torch.bfloat16,
    )  # fmt: skip


def test_gradients_are_averaged_in_float32(observe, draw):
    """A small gradient of a half on one rank is not lost beside a large one on the other, nor by being divided."""
    whys = {
        torch.bfloat16: "256 + 1 is 256 in bfloat16: cast the gradients to float32 before they are sent",
        torch.float16: "half of 2**-24 is 0 in float16: cast the gradients to float32 before they are divided",
    }
    for dtype, unit in draw.shuffled([(torch.bfloat16, 1.0), (torch.float16, 2.0**-24)]):
        large = [one.sign() * 256 for one in drawn_parameters(draw)]
        small = [torch.ones_like(one) for one in large]
        # The dtype has these numbers, and those half a unit beside a small one: nothing is rounded but the average.
        start = [one / 2 + draw.integers(*one.shape, low=1, high=60) for one in large]
        ranks = [[(one * unit).to(dtype) for one in gradients] for gradients in draw.shuffled([large, small])]
        seen = observe(
            scenarios.stepped, ranks=2, tensors=[one.to(dtype) for one in start], steps=[ranks],
            optimizer="sgd", settings={"lr": 1 / unit},
        )  # fmt: skip
        history = [[one.double() - (other.double() + 1) / 2 for one, other in zip(start, large, strict=True)]]
        expect_parameters(seen, history, whys[dtype], EXACT, dtype)


def test_a_step_sends_shards_once_each_way(observe, draw):
    """A step sends what one reduce-scatter in float32 and one gather in the parameters' dtype send, and no more."""
    for dtype in (torch.float32, torch.bfloat16, torch.float16):
        tensors = [one.to(dtype) for one in drawn_parameters(draw, count=draw.integer(3, 15))]
        numel = sum(one.numel() for one in tensors)
        steps = [
            [[one.to(dtype) for one in rank] for rank in ranks] for ranks in drawn_gradients(draw, tensors, steps=2)
        ]
        seen = observe(scenarios.stepped, ranks=2, tensors=tensors, steps=steps, optimizer="sgd", settings={"lr": 0.1})
        for rank, one in enumerate(seen):
            for calls in one["calls"]:
                sent, what = bytes_sent(calls), f"a step of {numel} {dtype} parameters on rank {rank}"
                sent["gather"] += sent["broadcast"]  # of each rank's part: a gather in pieces
                for kind, size in (("reduce_scatter", 4), ("gather", dtype.itemsize)):
                    why = f"{size} bytes for each parameter and at most a little padding: {kind} of the whole, once"
                    expect(sent[kind], f"bytes of {kind}, {what}").more_than(numel * size - 1, why)
                    expect(sent[kind], f"bytes of {kind}, {what}").less_than((numel + len(tensors)) * size + 1, why)
                expect(sent["all_reduce"] + sent["other"], f"other bytes, {what}").equals(
                    0, "an all-reduce sends every rank all of the average; it needs its shard only"
                )


def test_missing_gradients_count_as_zero(observe, draw):
    """A parameter may have a gradient on one rank only, or on none; and so may all of them."""
    tensors = drawn_parameters(draw, count=5)
    steps = drawn_gradients(draw, tensors, steps=5)
    for ranks, without_any in zip(steps, [(), *draw.shuffled([(), (0,), (1,), (0, 1)])], strict=True):
        for rank in without_any:
            ranks[rank][:] = [None] * 5
        holes = draw.shuffled([(0,), (1,), (0, 1)])
        for index, missing in zip(draw.shuffled(range(5))[:3], holes, strict=True):
            for rank in missing:
                ranks[rank][index] = None
    settings = {"lr": 0.1, "momentum": 0.5}
    seen = observe(scenarios.stepped, ranks=2, tensors=tensors, steps=steps, optimizer="sgd", settings=settings)
    why = "a missing gradient is zero in the average; all ranks send vectors of the same size"
    expect_parameters(seen, stepped(tensors, steps, Sgd(**settings), [False] * 5), why)


def test_frozen_parameters_are_left_alone(observe, draw):
    """A frozen parameter is neither stepped nor decayed, wherever it is among the others."""
    tensors = drawn_parameters(draw, count=6)
    frozen = draw.pattern(6, share=0.4)
    steps = drawn_gradients(draw, tensors, steps=2)
    for ranks in steps:
        for rank in ranks:
            rank[:] = [None if is_frozen else one for one, is_frozen in zip(rank, frozen, strict=True)]
    settings = {"lr": 0.1, "weight_decay": 0.5}
    seen = observe(
        scenarios.stepped, ranks=2, tensors=tensors, steps=steps, optimizer="adamw", settings=settings, frozen=frozen
    )
    history = stepped(tensors, steps, AdamW(**settings), frozen)
    expect_parameters(seen, history, "only parameters with requires_grad are cut, stepped and gathered", ADAM)


def test_zero_grad_starts_the_next_step_clean(observe, draw):
    """After zero_grad no parameter has a gradient that is not zero."""
    tensors = drawn_parameters(draw)
    steps = drawn_gradients(draw, tensors, steps=2)
    settings = {"lr": 0.1}
    seen = observe(scenarios.stepped, ranks=2, tensors=tensors, steps=steps, optimizer="sgd", settings=settings)
    for rank, one in enumerate(seen):
        expect(one["left"], f"sums of the gradients that are left on rank {rank}").equals(
            [[0.0] * len(tensors)] * 2, "zero_grad is about the parameters' gradients, which backward adds to"
        )
    expect_parameters(seen, stepped(tensors, steps, Sgd(**settings), [False] * 4), "each step has its gradients alone")


def test_parameters_that_cannot_be_cut_are_refused(observe, draw):
    """No parameter that trains, two dtypes or devices get a ValueError; without a group it is a RuntimeError."""
    tensor = draw.normal(draw.integer(3, 7))
    for rank, seen in enumerate(observe(scenarios.refused, ranks=2, tensor=tensor)):
        for call in ("nothing trains", "no parameters", "two dtypes", "two devices"):
            expect_value_error(seen[call], f"{call}, rank {rank}")
        expect(seen["good"], "a good parameter after a step of 1").close_to(tensor - 1.0, FLOAT32, "it is taken")
    alone = observe(scenarios.refused, tensor=tensor)
    expect_value_error(alone["good"], "without a group", type_name="RuntimeError")
