"""Step 3, overlap: one behaviour a test, judged by the values that both ranks brought back."""

import itertools
import math
from collections.abc import Sequence

import torch

from labkit.judge.expect import Tolerance, expect, expect_error
from references.data_parallel import step_3 as reference
from references.data_parallel.common import (
    BFLOAT16,
    FLOAT32,
    FLOAT64,
    drawn,
    drawn_positive,
    drawn_shapes,
    expect_gradients,
    means,
)
from scenarios.data_parallel import step_3 as scenarios

RANKS = (0, 1)
TRAINING = Tolerance("float32 rounding over a few steps", rtol=1e-4, atol=1e-5)
WIRE = Tolerance("bfloat16 rounds what is sent, and the sum: 2^-8 of numbers below 16", rtol=0.05, atol=0.2)
HALVES = Tolerance("bfloat16 rounds what is sent, and each sum; or half a spacing", rtol=4 * 2.0**-8, ulps=0.5)
WHY = "hooks start the all-reduces, the end of backward() waits for them and copies the means into parameter.grad"


def expect_means(
    seen: list, steps: list, like: list, why: str, tolerance: Tolerance = FLOAT32, frozen: Sequence[int] = ()
) -> None:
    """After each step, the gradients of both ranks are the means of what both had."""
    for rank in RANKS:
        for number, of_ranks in enumerate(steps):
            found = seen[rank][number]["gradients"]
            expect_gradients(found, means(of_ranks), like, f"step {number}, rank {rank}", why, tolerance, frozen)


def float_entries(call: dict) -> int:
    """How many numbers a call sends, if they are gradients."""
    return sum(float_bytes([call])) // (call["dtype"].itemsize if call.get("dtype") else 1)


def float_bytes(calls: list[dict]) -> list[int]:
    """Bytes of the calls that send gradients; others may agree on what is used."""
    return [call["bytes"] for call in calls if call.get("dtype") is not None and call["dtype"].is_floating_point]


def test_ranks_start_from_rank_0(observe, draw):
    """Once it is wrapped, a module has rank 0's parameters and buffers on all ranks, in its own memory."""
    shapes = drawn_shapes(draw, 4)
    values = [drawn(draw, shapes) for _ in RANKS]
    buffers = [[draw.normal(3), draw.integers(4, low=2**25, high=2**26), draw.normal(2, 2).bfloat16()] for _ in RANKS]
    seen = observe(scenarios.start, ranks=2, values=values, buffers=buffers, frozen=[draw.integer(0, 3)], tied=[1])
    for rank in RANKS:
        one = seen[rank]
        expect(one["parameters"], f"parameters of rank {rank}").equals(values[0], "__init__ calls broadcast_model")
        expect(one["buffers"], f"buffers of rank {rank}").equals(buffers[0], "__init__ calls broadcast_model")
        for name in ("same places", "inside", "own parameters"):
            expect(one[name], f"rank {rank}: {name}").equals(
                True, "wrap the module as it is, as the attribute `module`"
            )


def test_modules_that_cannot_be_wrapped_are_refused(observe, draw):
    """Nothing that trains, several devices, a cap below 1, or models that differ: a ValueError on every rank."""
    shapes = drawn_shapes(draw, 3)
    own = [drawn(draw, shapes) for _ in RANKS]
    kinds = {
        "no parameter that trains": {"frozen": [0, 1, 2]},
        "no parameters": {"values": []},
        "a part on another device": {"meta": True},
        "a cap of 0": {"cap": 0},
        "a cap below 0": {"cap": -draw.integer(1, 9)},
        "other shapes on rank 1": {"values": [*own[1][:2], draw.normal(9, 9)]},
        "other frozen parameters on rank 1": {"frozen": [draw.integer(0, 2)]},
    }
    names = draw.shuffled(list(kinds))
    cases = [
        [{"values": own[rank]} | ({} if rank == 0 and "on rank 1" in name else kinds[name]) for rank in RANKS]
        for name in names
    ]
    seen = observe(scenarios.refused, ranks=2, cases=cases)
    for rank in RANKS:
        for name, case, one in zip(names, cases, seen[rank], strict=True):
            expect_error(one["raised"], f"{name}, on rank {rank}", "ValueError", "check before anything is sent")
            expect(one["left"], f"{name}: parameters on rank {rank}").equals(
                case[rank]["values"], "nothing has changed"
            )
            expect(one["calls"], f"{name}: calls of a later backward pass on rank {rank}").equals(
                [], "nothing has changed: hooks come after all checks"
            )


def test_backward_leaves_the_mean(observe, draw):
    """When backward() returns, all gradients are the means over both ranks, whatever the buckets; in eval mode too."""
    shapes = drawn_shapes(draw, 6)
    tolerances = {torch.float32: FLOAT32, torch.bfloat16: BFLOAT16, torch.float64: FLOAT64}
    for cap, dtype in zip((1, draw.integer(60, 120), None), tolerances, strict=True):
        values, some = [drawn(draw, shapes, dtype) for _ in RANKS], drawn_positive if dtype == torch.bfloat16 else drawn
        steps = [[some(draw, shapes, dtype) for _ in RANKS] for _ in range(2)]
        seen = observe(scenarios.passes, ranks=2, values=values, steps=steps, cap=cap, evaluated=[1])
        expect_means(seen, steps, values[0], WHY, tolerances[dtype])


def test_arguments_and_outputs_pass_through(observe, draw):
    """Forward takes what the module takes and gives what it gives, in train and in eval mode."""
    weight, inputs, scale = draw.normal(5), [draw.normal(5), draw.normal(2, 3)], draw.number(1, 2)
    extra = {"name": str(draw.integer(100, 999))}
    seen = observe(scenarios.pass_through, ranks=2, weight=weight, inputs=inputs, scale=scale, extra=extra)
    why = "forward(*args, **kwargs) passes everything on, and returns what comes back"
    for rank, mode in itertools.product(RANKS, ("train", "eval")):
        one, what = seen[rank][mode], f"on rank {rank} in {mode} mode"
        expect(one["product"], f"output {what}").close_to(inputs[0] * weight * scale, FLOAT32, why)
        expect([one["rest"], one["extra"]], f"further outputs {what}").equals([[inputs[1], 1], extra], why)


def test_trains_like_one_process(observe, draw):
    """Both ranks train like one process with both batches together, from rank 0's weights."""
    sizes, state = reference.drawn_network(draw, 3)
    other = [draw.normal(*value.shape) for value in state]
    batches = [[[draw.normal(6, 4), draw.normal(6, 3)] for _ in RANKS] for _ in range(4)]
    whole = [[torch.cat(parts) for parts in zip(*of_ranks, strict=True)] for of_ranks in batches]
    history, lr = reference.trained(state, whole, 0.1), 0.1
    seen = observe(
        scenarios.train, ranks=2, sizes=sizes, states=[state, other], batches=batches, lr=lr, cap=draw.integer(60, 150)
    )
    for rank, step in itertools.product(RANKS, range(4)):
        for index, weight in enumerate(history[step]):
            expect(seen[rank][step][index], f"parameter {index} after step {step} on rank {rank}").close_to(
                weight, TRAINING, "equal starts, and the mean of both gradients in every step", torch.float32
            )


def test_every_backward_begins_afresh(observe, draw):
    """Every backward pass is averaged by itself, after zero_grad of either kind; without one, gradients add up."""
    shapes = drawn_shapes(draw, 5)
    values = [drawn(draw, shapes) for _ in RANKS]
    clear = ["none", "zeros", "none", "keep", "keep", "zeros"]
    steps = [[drawn(draw, shapes) for _ in RANKS] for _ in clear]
    seen = observe(scenarios.passes, ranks=2, values=values, steps=steps, cap=draw.integer(60, 120), clear=clear)
    totals: list[list] = []
    for how, of_ranks in zip(clear, steps, strict=True):
        before = totals[-1] if how == "keep" else None
        totals.append(
            [
                [one if before is None else one + old[i] for i, one in enumerate(own)]
                for own, old in zip(of_ranks, before or of_ranks, strict=True)
            ]
        )
    expect_means(seen, totals, values[0], "set the counts back after each backward pass, and send what is there now")


def test_buffers_follow_rank_0(observe, draw):
    """Training forward passes find rank 0's buffers, new ones too; inside no_sync each rank goes on with its own."""
    weight, totals = draw.normal(4), [draw.normal(4) for _ in RANKS]
    counts = [draw.integers(2, 3, low=2**60, high=2**61) for _ in RANKS]  # no float has most of them
    # What the first pass inside of no_sync finds is left open, and the first after no_sync or no_grad.
    modes = ["synced", "synced", "no_grad", "synced", "synced", "no_sync", "no_sync", "synced", "synced"]
    inputs = [[draw.normal(4) for _ in RANKS] for _ in modes]
    seen = observe(
        scenarios.buffers_found, ranks=2, weight=weight, totals=totals, counts=counts, inputs=inputs, modes=modes,
        dtype=torch.bfloat16,
    )  # fmt: skip
    for rank in RANKS:
        for step, source in ((0, 0), (1, 0), (2, 0), (4, 0), (6, rank), (8, 0)):
            why = "broadcast module.buffers() before each training forward pass, not after it, and not in no_sync"
            found = seen[source][step - 1]["left"] if step else [totals[0], counts[0]]
            expect(seen[rank][step]["found"], f"buffers that forward pass {step} finds on rank {rank}").equals(
                found, why
            )
            total, count, own = found[0], found[1], inputs[step][rank]
            left = [total + own, count + (own > 0).sum(), own]
            expect(seen[rank][step]["left"], f"buffers that forward pass {step} leaves on rank {rank}").equals(
                left, why
            )


def test_parameter_unused_on_one_rank(observe, draw):
    """What only one rank's batch uses has half of its gradient on both, in any bucket and every step."""
    shapes = drawn_shapes(draw, 6)
    values = [drawn(draw, shapes) for _ in RANKS]
    for cap in (1, draw.integer(60, 120), 10**6):
        steps = []
        for absent in ([[5], []], [[5], []], [[], [0]], [[4, 5], [0, 1]], [[2], [3]], [[], []]):
            of_ranks = [drawn(draw, shapes) for _ in RANKS]
            for gradients, indices in zip(of_ranks, absent, strict=True):
                for index in indices:
                    gradients[index] = None
            steps.append(of_ranks)
        seen = observe(scenarios.passes, ranks=2, values=values, steps=steps, cap=cap, turned=cap > 1)
        why = "send in the buckets' order on all ranks, and at the end of backward() zeros for what is missing"
        expect_means(seen, steps, values[0], why)


def test_frozen_idle_and_tied_parameters(observe, draw):
    """A frozen parameter has no gradient, an idle one None or zeros; a tied one that of both places, averaged once."""
    shapes = drawn_shapes(draw, 6)
    values = [drawn(draw, shapes) for _ in RANKS]
    frozen, idle, tied, *_ = draw.shuffled(range(6))
    steps, totals = [], []
    for _ in range(2):
        of_ranks = [drawn(draw, [*shapes, shapes[tied]]) for _ in RANKS]
        for gradients in of_ranks:
            gradients[idle] = None
        steps.append(of_ranks)
        sums = [[*own[:6]] for own in of_ranks]
        for own, of_both in zip(of_ranks, sums, strict=True):
            of_both[tied], of_both[frozen] = own[tied] + own[6], None
        totals.append(sums)
    for cap in (1, draw.integer(60, 120)):
        seen = observe(
            scenarios.passes, ranks=2, values=values, steps=steps, cap=cap, frozen=[frozen], tied=[tied],
            turned=cap > 1,
        )  # fmt: skip
        why = "each parameter that trains has one gradient and one place in a bucket"
        expect_means(seen, totals, values[0], why, frozen=[frozen])


def test_overflow_on_one_rank_reaches_all(observe, draw):
    """An inf or nan in one rank's gradient is in the mean on both ranks, at its place and nowhere else."""
    shapes = drawn_shapes(draw, 5)
    values = [drawn(draw, shapes) for _ in RANKS]
    for dtype in (None, torch.bfloat16, torch.float16):
        steps = []
        for rank, bad in draw.shuffled([(0, math.inf), (1, -math.inf), (1, math.nan)]):
            of_ranks = [drawn_positive(draw, shapes) for _ in RANKS]
            flat = of_ranks[rank][draw.integer(0, 4)].view(-1)
            flat[draw.integer(0, len(flat) - 1)] = bad
            steps.append(of_ranks)
        seen = observe(scenarios.passes, ranks=2, values=values, steps=steps, cap=draw.integer(60, 120), dtype=dtype)
        why = "the mean of inf and a number is inf: nothing is repaired, skipped or left local"
        expect_means(seen, steps, values[0], why, FLOAT32 if dtype is None else BFLOAT16)


def test_buckets_are_sent_during_backward(observe, draw):
    """While earlier layers are still to come, the buckets of those that are through have been sent; in every pass."""
    sizes, state = reference.drawn_network(draw, 8)
    inputs, cap = [draw.normal(4, 4) for _ in RANKS], draw.integer(100, 260)
    entries = [state[2 * i].numel() + state[2 * i + 1].numel() for i in range(8)]
    # A bucket not full yet, one parameter beyond the cap; with a cap of 1 each gradient is a bucket.
    slack = {1: 0, cap: cap // 4 + max(value.numel() for value in state)}
    cases = [
        {"cap": 1, "dtype": None, "accumulates": False},
        {"cap": cap, "dtype": torch.bfloat16, "accumulates": True},
    ]
    seen = observe(scenarios.events, ranks=2, sizes=sizes, state=state, inputs=inputs, cases=cases)
    for rank, (number, case) in itertools.product(RANKS, enumerate(cases)):
        sent, layers, where = 0, [], f"on rank {rank} with {case}"
        for event in seen[rank][number]:
            if "layer" in event:
                layer = event["layer"]
                layers.append(layer)
                expect(float(sent), f"gradients sent before the backward pass of layer {layer} {where}").more_than(
                    sum(entries[layer + 1 :]) - slack[case["cap"]] - 1.0,
                    "a bucket is sent as soon as its last gradient is there; the last layers' come first",
                )
            else:
                sent += float_entries(event)
        expect(layers, f"layers in the backward pass {where}").equals([*range(7, -2, -1)], "each layer runs once")
        expect(sent, f"gradients sent {where}").equals(sum(entries), "every gradient is sent once")


def test_no_rank_waits_inside_backward(observe, draw):
    """A rank goes through all of its layers while the other one is still in its last layer; only then it waits."""
    for late_rank, dtype in zip(draw.shuffled(RANKS), (None, torch.bfloat16), strict=True):
        accumulates = dtype is not None  # and the gradient of the same inputs twice
        sizes, state = reference.drawn_network(draw, 4)
        inputs = [draw.normal(4, 4) for _ in RANKS]
        seen = observe(
            scenarios.late, ranks=2, sizes=sizes, state=state, inputs=inputs, cap=draw.integer(60, 150),
            late_rank=late_rank, dtype=dtype, accumulates=accumulates,
        )  # fmt: skip
        of_ranks = [[(1 + accumulates) * one for one in reference.gradients(state, None, own)] for own in inputs]
        for rank in RANKS:
            what, tolerance = f"rank {rank}, dtype={dtype}", WIRE if dtype else TRAINING
            expect_gradients(seen[rank]["gradients"], means(of_ranks), state, what, WHY, tolerance)
        expect(seen[late_rank]["through"], f"whether rank {1 - late_rank} came through its layers").equals(
            [True], "it waited for the late rank inside of its backward pass: start with async_op=True, wait at the end"
        )


def test_calls_stay_near_the_cap(observe, draw):
    """Every gradient is sent once, in calls of at most cap_bytes and one parameter, and not each by itself."""
    shapes = [(draw.integer(3, 5), 4) for _ in range(16)]
    values, cap = [drawn(draw, shapes) for _ in RANKS], draw.integer(200, 300)
    steps = [[drawn(draw, shapes) for _ in RANKS] for _ in range(3)]
    total, largest = sum(value.nbytes for value in values[0]), max(value.nbytes for value in values[0])
    seen = observe(scenarios.passes, ranks=2, values=values, steps=steps, cap=cap)
    expect_means(seen, steps, values[0], WHY)
    for rank in RANKS:
        sent = float_bytes(seen[rank][2]["calls"])
        expect(sum(sent), f"bytes sent on rank {rank}").equals(total, "every gradient once, nothing else")
        expect(float(max(sent)), f"bytes of the largest call on rank {rank}").less_than(
            cap + largest + 1.0, "the buckets are those of make_buckets with cap_bytes"
        )
        expect(float(len(sent)), f"number of calls on rank {rank}").less_than(
            2 * total / cap + 2, "gradients of a bucket are sent together, in one flat tensor"
        )
    size = draw.integer(400, 500)
    for rank, calls in enumerate(observe(scenarios.default_cap, ranks=2, size=size, count=4)):
        expect(float(min(float_bytes(calls))), f"bytes of the smallest call on rank {rank}").more_than(
            2 * 4.0 * size**2 - 1.0, "25 MiB by default for every bucket: none sends one parameter alone where two fit"
        )


def test_wire_has_the_dtype_that_was_asked_for(observe, draw):
    """Gradients are sent in `dtype`, or in their own; they keep theirs, and are the mean but for rounding."""
    shapes = drawn_shapes(draw, 6)
    for asked in draw.shuffled((None, torch.bfloat16, torch.float16, torch.float32)):
        half = torch.float16 if asked == torch.float32 else torch.bfloat16
        own = [torch.float32 if i < 3 or asked == torch.float16 else half for i in range(6)]
        values, *rest = (
            [draw.away_from_zero(*shape).abs().to(dtype) for shape, dtype in zip(shapes, own, strict=True)]
            for _ in range(5)
        )
        if asked == torch.float32:  # the smallest float16 numbers: half of them is none
            for gradients in rest:
                gradients[3:] = [(draw.integers(*shape, low=1, high=16) * 2.0**-24).half() for shape in shapes[3:]]
        if asked == torch.float16:  # only their mean with zeros is within its range
            rest[0] = [draw.away_from_zero(*shape, low=70000, high=120000) for shape in shapes]
            rest[1] = [torch.zeros(shape) for shape in shapes]
        steps, cap = [rest[:2], rest[2:]], draw.integer(60, 120)
        seen = observe(scenarios.passes, ranks=2, values=[values] * 2, steps=steps, cap=cap, dtype=asked)
        why = "divide in the wider dtype, cast, send; then cast back to the gradient's dtype"
        expect_means(seen, steps, values, why, HALVES)
        wanted: dict[str, int] = {}
        for value in values:
            dtype = asked or value.dtype
            wanted[str(dtype)] = wanted.get(str(dtype), 0) + value.numel() * dtype.itemsize
        for rank, step in itertools.product(RANKS, range(2)):
            sent: dict[str, int] = {}
            for call in seen[rank][step]["calls"]:
                for size in float_bytes([call]):
                    sent[str(call["dtype"])] = sent.get(str(call["dtype"]), 0) + size
            expect(sent, f"bytes sent on rank {rank} with dtype={asked}").equals(wanted, "cast before it is sent")


def test_accumulates_without_calls(observe, draw):
    """Inside no_sync nothing is sent and each rank has its own sum; the next pass outside averages all of it."""
    shapes = drawn_shapes(draw, 5)
    values = [drawn(draw, shapes) for _ in RANKS]
    synced = [False, False, True, False, True, True]
    clear = ["none", "keep", "keep", "zeros", "keep", "none"]
    steps = [[drawn(draw, shapes) for _ in RANKS] for _ in synced]
    seen = observe(
        scenarios.passes, ranks=2, values=values, steps=steps, cap=draw.integer(60, 120), synced=synced, clear=clear
    )
    now: list[list] = [[], []]
    for step, of_ranks in enumerate(steps):
        for rank in RANKS:
            fresh = clear[step] != "keep"
            now[rank] = [one if fresh else one + now[rank][i] for i, one in enumerate(of_ranks[rank])]
        if synced[step]:
            now = [means(now)] * 2
        for rank in RANKS:
            what, found = f"step {step}, rank {rank}", seen[rank][step]
            why = "accumulate locally in no_sync, and average the sums in the first backward pass after it"
            expect_gradients(found["gradients"], now[rank], values[0], what, why)
            if not synced[step]:
                expect(found["calls"], f"calls inside no_sync, {what}").equals([], "nothing is sent in no_sync")


def test_no_sync_nests_and_ends_by_exceptions(observe, draw):
    """Only the end of the outermost no_sync ends it, and an exception does too, and passes through."""
    shapes = drawn_shapes(draw, 4)
    values, steps = drawn(draw, shapes), [[drawn(draw, shapes) for _ in RANKS] for _ in range(6)]
    seen = observe(scenarios.no_sync, ranks=2, values=values, steps=steps, cap=draw.integer(60, 120))
    for rank in RANKS:
        why = "keep the old flag, and put that one back, in a finally"
        names = ("in the inner", "in the outer again", "after both", "in the outer after an exception")
        for number, name in enumerate((*names, "after an interrupt", "after an exception")):
            one, inside = seen[rank][name], number in (0, 1, 3)
            expected = steps[number][rank] if inside else means(steps[number])
            expect_gradients(one["gradients"], expected, values, f"{name} no_sync, rank {rank}", why)
            expect(bool(one["calls"]), f"whether anything was sent {name} no_sync on rank {rank}").equals(
                not inside, why
            )
        expect_error(seen[rank]["raised"], f"rank {rank}", "ArithmeticError", "the exception passes through")


def test_gradient_from_inside_no_sync_is_averaged(observe, draw):
    """What a rank's last pass does not use, but its passes in no_sync did, is in the mean."""
    shapes = drawn_shapes(draw, 5)
    values, cap = [drawn(draw, shapes) for _ in RANKS], draw.integer(60, 120)
    for rank in draw.shuffled(RANKS):
        steps = [[drawn(draw, shapes) for _ in RANKS] for _ in range(2)]
        unused = draw.shuffled(range(5))[:2]
        for index in unused:
            steps[1][rank][index] = None
        seen = observe(
            scenarios.passes, ranks=2, values=values, steps=steps, cap=cap, synced=[False, True], clear=["none", "keep"]
        )
        sums = [
            [one if other is None else one + other for one, other in zip(*(step[own] for step in steps), strict=True)]
            for own in RANKS
        ]
        for own in RANKS:
            why = "send parameter.grad as it is, with what has accumulated; zeros only where it is None"
            expect_gradients(seen[own][1]["gradients"], means(sums), values[0], f"rank {own}", why)
