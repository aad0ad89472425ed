"""Step 5, torch's DDP: one behaviour a test, judged by the values that four ranks brought back."""

import math

import torch

from labkit.judge.expect import Tolerance, expect
from references.data_parallel import step_3 as networks
from references.data_parallel.common import (
    BFLOAT16,
    FLOAT32,
    drawn,
    drawn_positive,
    drawn_shapes,
    expect_gradients,
    means,
)
from scenarios.data_parallel import step_5 as scenarios

RANKS = range(4)
WIRE = Tolerance("bfloat16 rounds what is sent, and each sum: 2^-8 of numbers below 8", rtol=0.05, atol=0.1)


def expect_means(seen: list, steps: list, like: list, why: str, tolerance: Tolerance) -> None:
    """After each step, the gradients of all ranks are the means of what they had."""
    for rank in RANKS:
        for number, of_ranks in enumerate(steps):
            found = seen[rank][number]["gradients"]
            expect_gradients(found, means(of_ranks), like, f"step {number}, rank {rank}", why, tolerance)


def sent(calls: list[dict]) -> dict[str, int]:
    """Bytes sent in each floating dtype."""
    found: dict[str, int] = {}
    for call in calls:
        if call["dtype"] is not None and call["dtype"].is_floating_point:
            found[str(call["dtype"])] = found.get(str(call["dtype"]), 0) + call["bytes"]
    return found


def test_wrap_gives_torchs_ddp(observe, draw):
    """wrap_ddp gives torch's DDP of the module, with rank 0's parameters and buffers; an option switches that off."""
    shapes = drawn_shapes(draw, 3)
    for compress, options in ((None, {}), (True, {}), (draw.choice((True, False)), {"init_sync": False})):
        values = [drawn(draw, shapes) for _ in RANKS]
        buffers = [[draw.normal(3), draw.integers(4, high=99)] for _ in RANKS]
        seen = observe(scenarios.wrapped, ranks=4, values=values, buffers=buffers, compress=compress, options=options)
        for rank in RANKS:
            one, why = seen[rank], "give the module to DistributedDataParallel, and return that"
            expect([one["is torch's"], one["inside"]], f"rank {rank}: torch's DDP, of this module").equals(
                [True] * 2, why
            )
            source = rank if options else 0
            why = "DDP sends rank 0's at the start; pass all options on, False as well"
            expect(one["parameters"], f"parameters of rank {rank} with {options}").equals(values[source], why)
            expect(one["buffers"], f"buffers of rank {rank} with {options}").equals(buffers[source], why)


def test_ddp_leaves_the_mean(observe, draw):
    """Without compression gradients are the means over four ranks, sent as they are."""
    shapes = drawn_shapes(draw, 5)
    values, steps = drawn(draw, shapes), [[drawn(draw, shapes) for _ in RANKS] for _ in range(3)]
    total = sum(value.nbytes for value in values)
    for compress in (None, False):
        seen = observe(scenarios.passes, ranks=4, values=values, steps=steps, compress=compress)
        expect_means(seen, steps, values, "without compress DDP does all of it", FLOAT32)
        for rank in RANKS:
            expect(sent(seen[rank][-1]["calls"]), f"bytes sent on rank {rank}").equals(
                {"torch.float32": total}, "no hook without compress, which is False by default"
            )


def test_options_are_passed_on(observe, draw):
    """DDP gets the options as they are, with compression and without: unused parameters, bucket size, process group."""
    shapes = drawn_shapes(draw, 6)
    values = drawn(draw, shapes)
    for compress in draw.shuffled((True, False)):
        steps = []
        for absent in range(3):
            of_ranks = [drawn_positive(draw, shapes) for _ in RANKS]
            of_ranks[draw.integer(0, 3)][absent] = None
            steps.append(of_ranks)
        seen = observe(
            scenarios.passes, ranks=4, values=values, steps=steps, compress=compress, cap_bytes=8,
            options={"find_unused_parameters": True},
        )  # fmt: skip
        why = "wrap_ddp(module, **options) gives find_unused_parameters to DDP, which raises without it"
        expect_means(seen, steps, values, why, BFLOAT16)
        count = sum(value.numel() for value in values)
        total = {"torch.bfloat16": 2 * count} if compress else {"torch.float32": 4 * count}
        for rank in RANKS:
            calls = seen[rank][-1]["calls"]
            expect(sent(calls), f"bytes sent on rank {rank}").equals(total, "every gradient is sent once")
            expect(float(sum(bool(sent([call])) for call in calls)), f"calls with gradients on rank {rank}").more_than(
                2.5, "bucket_cap_mb is an option of DDP too"
            )
    pairs = [[drawn_positive(draw, shapes) for _ in RANKS] for _ in range(2)]
    expect_pairs(observe, values, pairs, "process_group", compress=False, tolerance=FLOAT32)


def expect_pairs(observe, values: list, steps: list, option: str, compress: bool, tolerance: Tolerance) -> None:
    """Groups of two ranks, given to DDP as `option`: gradients are the means over the two."""
    seen = observe(scenarios.passes, ranks=4, values=values, steps=steps, compress=compress, pairs=option)
    for first in (0, 2):
        of_pair = [[of_ranks[first], of_ranks[first + 1]] for of_ranks in steps]
        for rank in (first, first + 1):
            for number, both in enumerate(of_pair):
                expect_gradients(
                    seen[rank][number]["gradients"], means(both), values,
                    f"step {number}, rank {rank} of two groups, given as {option}",
                    "DDP's group is the hook's state too: its ranks and its size", tolerance,
                )  # fmt: skip


def test_compressed_wire_is_bfloat16(observe, draw):
    """With compress=True every gradient is sent once, as bfloat16, by every rank, in every step; float16 ones too."""
    shapes = drawn_shapes(draw, 6)
    for cap_bytes, dtype in ((None, torch.float32), (draw.integer(60, 120), torch.float16)):
        # Some float32 and the others of `dtype`.
        values, *rest = (
            [*drawn_positive(draw, shapes[:3]), *drawn_positive(draw, shapes[3:], dtype)] for _ in range(1 + 3 * 4)
        )
        steps = [rest[4 * i : 4 * i + 4] for i in range(3)]
        seen = observe(scenarios.passes, ranks=4, values=values, steps=steps, compress=True, cap_bytes=cap_bytes)
        expect_means(seen, steps, values, "the mean, cast back to the bucket's dtype", BFLOAT16)
        count = sum(value.numel() for value in values)
        for rank in RANKS:
            for step in range(3):
                expect(sent(seen[rank][step]["calls"]), f"bytes sent in step {step} on rank {rank}").equals(
                    {"torch.bfloat16": 2 * count},
                    "register compress_gradients, and cast every bucket",
                )


def test_compressed_gradients_are_the_mean(observe, draw):
    """Compressed gradients are float32, the means over four ranks but for rounding; an inf of one rank reaches all."""
    shapes = drawn_shapes(draw, 5)
    values, steps = drawn(draw, shapes), [[drawn_positive(draw, shapes) for _ in RANKS] for _ in range(4)]
    for rank, bad in enumerate(draw.shuffled((math.inf, -math.inf, math.nan))):
        steps[rank][rank][draw.integer(0, 4)].view(-1)[0] = bad
    seen = observe(scenarios.passes, ranks=4, values=values, steps=steps, compress=True, cap_bytes=80)
    why = "DDP does not divide for a hook: the future's tensor is the mean, in the dtype of bucket.buffer()"
    expect_means(seen, steps, values, why, BFLOAT16)
    halves = drawn(draw, shapes, torch.bfloat16)
    steps = [[drawn_positive(draw, shapes, torch.bfloat16) for _ in RANKS] for _ in range(2)]
    seen = observe(scenarios.passes, ranks=4, values=halves, steps=steps, compress=True)
    expect_means(seen, steps, halves, why, BFLOAT16)
    dtypes = [torch.float32, torch.bfloat16, torch.float16, torch.float64]
    values = [draw.normal(3, 2).to(dtype) for dtype in dtypes]
    for rank, one in enumerate(observe(scenarios.futures, ranks=4, values=values, coefficients=values)):
        expect(one, f"dtypes of bucket and averaged gradients on rank {rank}").equals(
            [[dtype, dtype] for dtype in dtypes], "the future gives the mean in the dtype of bucket.buffer()"
        )


def test_compressed_sum_does_not_overflow(observe, draw):
    """Gradients whose sum is beyond bfloat16 have their finite mean."""
    shapes = drawn_shapes(draw, 4)
    steps = [
        [[draw.away_from_zero(*shape, low=1e38, high=3e38).abs() for shape in shapes] for _ in RANKS] for _ in range(2)
    ]
    values = drawn(draw, shapes)
    seen = observe(scenarios.passes, ranks=4, values=values, steps=steps, compress=True)
    expect_means(seen, steps, values, "divide before the sum", BFLOAT16)


def test_compression_uses_ddps_group(observe, draw):
    """With a process group, or a device mesh, of two ranks, compressed gradients are the means over those two."""
    shapes = drawn_shapes(draw, 4)
    for option in draw.shuffled(("process_group", "device_mesh")):
        steps = [[drawn_positive(draw, shapes) for _ in RANKS] for _ in range(2)]
        expect_pairs(observe, drawn(draw, shapes), steps, option, compress=True, tolerance=BFLOAT16)


def test_hook_does_not_wait(observe, draw):
    """A rank goes through all of its layers while another one is still in its last layer."""
    for late_rank in draw.shuffled(RANKS)[:2]:
        sizes, state = networks.drawn_network(draw, 4)
        inputs = [draw.normal(4, 4) for _ in RANKS]
        seen = observe(
            scenarios.late, ranks=4, sizes=sizes, state=state, inputs=inputs, cap_bytes=draw.integer(60, 150),
            late_rank=late_rank,
        )  # fmt: skip
        of_ranks = [networks.gradients(state, None, own) for own in inputs]
        for rank in RANKS:
            expect_gradients(seen[rank]["gradients"], means(of_ranks), state, f"rank {rank}", "the mean", WIRE)
        expect(seen[late_rank]["through"], f"whether rank {(late_rank + 1) % 4} came through its layers").equals(
            [True], "the hook waited for the late rank: async_op=True, and .then() of the future, without wait()"
        )
