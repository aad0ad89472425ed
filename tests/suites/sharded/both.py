"""What is asked alike of the sharded model that is written by hand and of FSDP2."""

import itertools
from collections.abc import Sequence

import torch

from labkit.judge.draw import Draw
from labkit.judge.expect import Tolerance, expect
from references.sharded.common import drawn_state, drawn_steps, outputs_of
from references.sharded.step_3 import drawn_tensors
from scenarios.sharded import step_3 as scenarios
from suites.sharded.common import FLOAT32, bytes_sent

BFLOAT16 = Tolerance("rounded once, to bfloat16", ulps=0.51)
LAYERS, WIDTH = 8, 24


def expect_start(observe, draw: Draw, way: str) -> None:
    # A unit whose weight is tied to that of another one, and a scale of the model's own; some of all this is frozen.
    structure = {"parts": [[[0, 1]], [[2, 3]], [[0, 5]]], "order": [0, 1, 2], "scale": 6, "frozen": [2, 6]}
    width, size = draw.integer(3, 5), draw.integer(1, 4)
    states = [drawn_tensors(draw, 3, width, scale=True) for _ in range(2)]
    buffers = [
        [draw.normal(size), draw.integers(size, low=2**40, high=2**60), draw.normal(size).double() / 3, *draw.normal(1)]
        for _ in range(2)
    ]
    seen = observe(scenarios.started, ranks=2, way=way, states=states, structure=structure, buffers=buffers)
    why = "all ranks start from rank 0's weights and buffers, to the last bit: broadcast them before the first pass"
    for rank, one in enumerate(seen):
        for index in (0, 1, 2, 3, 5, 6):
            expect(one["tensors"][index], f"parameter {index} on rank {rank}").equals(states[0][index], why)
        expect(one["buffers"], f"buffers on rank {rank}").equals(buffers[0], why)


def expect_step_bytes(observe, draw: Draw, way: str) -> None:
    half, full = torch.bfloat16, torch.float32
    policies = [(full, full, True), (half, full, False), (half, half, True), (None, half, False)]
    for param_dtype, reduce_dtype, reshard in policies:
        # The first layer's weight is the last one's too: two thirds of the model are in none of its children alone.
        width, structure = draw.integer(4, 7), {"parts": [[[0, 1]], [[2, 3]], [[0, 4]]], "order": [0, 1, 2]}
        tensors = [one for index, one in enumerate(drawn_tensors(draw, 3, width, scale=False)) if index != 4]
        steps = drawn_steps(draw, [width, width], 2)
        options = {"param_dtype": param_dtype, "reduce_dtype": reduce_dtype, "reshard": reshard}
        seen = observe(
            scenarios.step_calls, ranks=2, way=way, tensors=tensors, structure=structure, steps=steps, options=options
        )
        numel = sum(tensor.numel() for tensor in tensors)
        # Two numbers of padding for each parameter, or a row of one with an odd number of rows, as FSDP2 does it.
        padded = numel + sum(max(2, len(one) % 2 * one[0].numel()) for one in tensors)
        gathers, size = (2 if reshard else 1), (param_dtype or full).itemsize
        expected = {"gather": gathers * size, "reduce_scatter": reduce_dtype.itemsize}
        passes = "each pass" if reshard else "the forward pass alone"
        whys = {
            "gather": f"{gathers} x {size} bytes a parameter: gathered in param_dtype, for {passes}",
            "reduce_scatter": "the gradients are reduced once, in reduce_dtype, each rank gets its part only",
        }
        for rank, one in enumerate(seen):
            expect(len(one), f"steps on rank {rank}").equals(len(steps), "every step is made")
            for number, calls in enumerate(one):
                sent = bytes_sent(calls)
                what = f"step {number + 1} of {numel} parameters on rank {rank}, {options}"
                for kind, each in expected.items():
                    expect(sent[kind], f"bytes of {kind}, {what}").more_than(numel * each - 1, whys[kind])
                    expect(sent[kind], f"bytes of {kind}, {what}").less_than(padded * each + 1, whys[kind])
                expect(sent["all_reduce"] + sent["broadcast"] + sent["other"], f"other bytes, {what}").equals(
                    0, "an all-reduce or a broadcast sends every rank what only one of them needs"
                )


# At most so many times the bytes of all weights, at a moment of a kind; a half of them are the shards. A unit has an
# eighth: gloo's two threads may each hold what they have just sent for a moment longer.
MOST = {
    "made": (0.8, "whole weights are freed when the shards have been cut"),
    "inside": (1.0, "a layer needs its own unit's weights; those of the units before it are freed again"),
    "between": (0.9, "whole weights are freed after the forward pass, and gathered again for backward"),
    "backward": (1.42, "weights and whole gradients of a unit are freed as soon as its gradients are reduced"),
    "evaluated": (0.8, "a pass without gradients has no backward pass: free the weights after it"),
    "after": (1.3, "after backward, the shards and their gradients are left"),
}  # fmt: skip


def expect_alive(
    observe, draw: Draw, way: str, kinds: tuple[str, ...], container: str, named: bool = False, reshard: bool = True
) -> None:
    """At the moments of these kinds no more is alive than `MOST` says."""
    width = WIDTH + draw.integer(0, 4)
    state, x = drawn_state(draw, [width] * (LAYERS + 1)), draw.normal(1, width)
    options = {"container": container, "named": named, "reshard": reshard}
    seen = observe(scenarios.alive, ranks=2, way=way, state=state, x=x, **options)
    weights = [tensor.double() for pair in state for tensor in pair]
    whole, loss = sum(4 * tensor.numel() for tensor in weights), outputs_of(weights, x).square().sum().item()
    for rank, kind in itertools.product(range(2), kinds):
        expect(seen[rank]["loss"], f"loss on rank {rank}").close_to(loss, FLOAT32, "the layers compute as they did")
        most, why = MOST[kind]
        sizes = [size for name, size in seen[rank]["moments"] if name == kind]
        count = {"inside": LAYERS, "backward": 2 if named else LAYERS}.get(kind, 1)
        expect(len(sizes), f"moments {kind!r} on rank {rank}").equals(count, "every layer runs once in each pass")
        for index, size in enumerate(sizes):
            what = f"bytes alive on rank {rank}, {kind}{f' layer {index}' * (count > 1)}, of {whole} of all weights"
            expect(size, what).less_than(most * whole, why)
            least = 1.0 if kind == "after" else 0.5
            expect(size, what).more_than(least * whole - 1, "the shards of this rank are alive all the time")


def expect_reduced(observe, draw: Draw, way: str, dtypes: Sequence[tuple]) -> None:
    """`dtypes`: pairs of the module's and `param_dtype`."""
    for dtype, param_dtype in draw.shuffled(dtypes):
        signs = draw.away_from_zero(draw.integer(3, 5), draw.integer(3, 5)).sign()
        gradients = draw.shuffled([signs * 256, torch.ones_like(signs)])
        seen = observe(
            scenarios.reduced, ranks=2, way=way, gradients=[[one] for one in gradients], dtype=dtype,
            options={"param_dtype": param_dtype, "reduce_dtype": torch.float32},
        )  # fmt: skip
        defaults = observe(
            scenarios.reduced, ranks=2, way=way, gradients=[[one] for one in gradients], dtype=dtype,
            options={"param_dtype": param_dtype},
        )  # fmt: skip
        expected = ((gradients[0] + gradients[1]) / 2).flatten().sort().values
        for name, ranks in (("reduce_dtype=torch.float32", seen), ("the default reduce_dtype", defaults)):
            expect(
                sorted_numbers(ranks), f"gradients of the weights, sorted, param_dtype {param_dtype}, {name}"
            ).equals(expected, "256 + 1 is 256 in bfloat16: gradients are cast to reduce_dtype before they are sent")


def sorted_numbers(ranks: list) -> torch.Tensor:
    """Those of all ranks' shards but padding; None is no shard."""
    found = torch.cat([one.flatten() for rank in ranks for one in rank if one is not None])
    return found[found != 0].sort().values


def expect_small_updates(observe, draw: Draw, way: str, dtype: torch.dtype, param_dtype: torch.dtype | None) -> None:
    weight = draw.away_from_zero(draw.integer(3, 5), draw.integer(3, 5)).sign()
    lr = draw.number(0.9e-3, 1.1e-3)
    seen = observe(
        scenarios.small_updates, ranks=2, way=way, weight=weight, dtype=dtype, param_dtype=param_dtype, lr=lr
    )
    for rank, weights in enumerate(seen):
        expect(len(weights), f"steps on rank {rank}").equals(8, "every step is made")
        for step, one in enumerate(weights):
            expected = weight.double() * (1 + lr * (step + 1))
            expect(
                one, f"weight after step {step + 1}, {dtype} module, param_dtype {param_dtype}, rank {rank}"
            ).close_to(
                expected, BFLOAT16, "1 + 0.001 is 1 in bfloat16: the optimizer steps float32 shards", torch.bfloat16
            )
