"""Step 4, around the sharded model: one behaviour a test, judged by the values that a scenario brought back."""

import math

import torch
from torch import Tensor

from labkit.judge.expect import Tolerance, expect
from references.sharded.common import Sgd, drawn_sizes, drawn_state, drawn_steps, gradients_of, trained
from references.sharded.step_3 import drawn_tensors
from scenarios.sharded import step_4 as scenarios
from suites.sharded.common import EXACT, FLOAT32, bytes_sent, expect_value_error, expect_weights

NORM = Tolerance("float32 squares, added up in float32 or wider", rtol=1e-5)
INF, NAN = math.inf, math.nan


def drawn_gradients(draw, ranks: int = 2, scale: float = 1.0) -> list[list[Tensor]]:
    """Of a few shards on each rank; the ranks' own norms differ."""
    return [
        [draw.normal(draw.integer(1, 6), scale=scale * (1 + rank)) for _ in range(draw.integer(2, 3))]
        for rank in range(ranks)
    ]


def norm_of(gradients: list[list]) -> float:
    present = [one.double() for rank in gradients for one in rank if one is not None]
    return torch.cat(present).norm().item() if present else 0.0


def expect_clipped(observe, gradients: list, limit: float, why: str, factor: float) -> None:
    seen = observe(scenarios.clipped, ranks=2, gradients=gradients, max_norm=limit)
    for rank, one in enumerate(seen):
        expect(one["norm"], f"norm on rank {rank}").close_to(norm_of(gradients), NORM, why)
        expect(one["in place"], f"each shard keeps its gradient tensor, rank {rank}").equals(True, "scale in place")
        for gradient, before in zip(one["gradients"], gradients[rank], strict=True):
            if before is None:
                expect(gradient, f"the gradient of a shard without one, rank {rank}").equals(None, "there is none")
            else:
                expect(gradient, f"a gradient on rank {rank}, limit {limit:g}").close_to(
                    before.double() * factor, EXACT if factor == 1.0 else NORM, why, torch.float32
                )


def test_norm_is_that_of_all_shards_of_all_ranks(observe, draw):
    """Every rank gets the 2-norm of all gradients together, as a float, and scales by one factor; of tiny ones too."""
    why = "add up the squares of all entries on all ranks, then take one root: every rank gets the norm of the whole"
    for scale in draw.shuffled((1.0, 1e-3, 1e-6)):
        gradients = drawn_gradients(draw, scale=scale)
        share = draw.number(0.2, 0.9)
        expect_clipped(observe, gradients, share * norm_of(gradients), why, share)


def test_smaller_norms_are_left_alone(observe, draw):
    """A norm below the limit changes no gradient, to the last bit; a limit of 0 makes all of them 0."""
    why = "the limit is a ceiling: gradients are scaled down to it, never up; 0.0 is a limit too"
    for scale in draw.shuffled((1.0, 1e-7)):
        gradients = drawn_gradients(draw, scale=scale)
        expect_clipped(observe, gradients, draw.number(1.1, 1.9) * norm_of(gradients), why, 1.0)
    expect_clipped(observe, gradients, INF, why, 1.0)
    gradients = drawn_gradients(draw)
    expect_clipped(observe, gradients, 0.0, why, 0.0)


def test_every_rank_takes_part_in_the_norm(observe, draw):
    """A shard, and a rank, may be without gradients: they count as zero."""
    why = "a missing gradient is zero; a rank without any still takes part in the sum, or the others wait for ever"
    for empty in (0, 1):
        gradients = drawn_gradients(draw)
        gradients[1 - empty].insert(draw.integer(0, 1), None)
        gradients[empty] = [None, None] if draw.integer(0, 1) else [None]
        share = draw.number(0.2, 0.9)
        expect_clipped(observe, gradients, share * norm_of(gradients), why, share)
    seen = observe(scenarios.clipped, ranks=2, gradients=[[None], [None]], max_norm=1.0)
    expect([one["norm"] for one in seen], "norms where nobody has a gradient").equals([0.0, 0.0], why)


def test_large_finite_gradients_have_a_norm(observe, draw):
    """Gradients of up to 1e30 are finite, and so is their norm."""
    why = "the square of 1e22 is inf in float32: add up in float64"
    for scale in (1e22, 1e29):
        gradients = drawn_gradients(draw, scale=scale)
        limit = draw.number(0.5, 2.0)
        expect_clipped(observe, gradients, limit, why, limit / norm_of(gradients))


def test_an_overflow_on_one_rank_is_seen_by_all(observe, draw):
    """An inf or nan in one shard makes the norm inf or nan on all ranks, and leaves all gradients as they are."""
    cases = [(bad, rank) for bad in (INF, -INF, NAN) for rank in (0, 1)]
    for bad, rank in draw.shuffled(cases):
        gradients = drawn_gradients(draw)
        flat = draw.choice(gradients[rank])
        flat[draw.integer(0, len(flat) - 1)] = bad
        seen = observe(scenarios.clipped, ranks=2, gradients=gradients, max_norm=draw.number(0.1, 0.5))
        for other, one in enumerate(seen):
            expect(one["finite float"], f"the norm on rank {other} is finite, with {bad} on rank {rank}").equals(
                False, "all ranks have to see the overflow, or one steps and another does not"
            )
            expect(one["type"], f"type of the norm on rank {other}").equals("float", ".item() makes one")
            expect(one["gradients"], f"gradients on rank {other}, with {bad} on rank {rank}").equals(
                gradients[other], "a factor made of inf or nan spoils the gradients of all: leave them as they are"
            )


def test_ranks_clip_and_skip_together(observe, draw):
    """In a training with overflows on one rank, all ranks clip by the same norm and leave the same steps out."""
    for param_dtype in draw.shuffled([None, torch.bfloat16]):
        sizes, lr = drawn_sizes(draw), draw.number(0.01, 0.02)
        state, steps = drawn_state(draw, sizes), drawn_steps(draw, sizes, 5)
        spoils = draw.shuffled([None, None, None, [0, draw.choice((INF, -INF))], [1, NAN]])
        limit = draw.number(0.3, 0.6)
        now, history, norms = [tensor.double() for pair in state for tensor in pair], [], []
        for ranks, spoil in zip(steps, spoils, strict=True):
            if spoil is None:
                gradients = gradients_of(now, ranks)
                norms.append(torch.cat([one.flatten() for one in gradients]).norm().item())
                factor = min(1.0, limit / norms[-1])
                now = [one - lr * factor * gradient for one, gradient in zip(now, gradients, strict=True)]
            else:
                norms.append(None)
            history.append(now)
        seen = observe(
            scenarios.train_clipped, ranks=2, state=state, steps=steps, lr=lr, limits=[limit] * 5,
            param_dtype=param_dtype, spoils=spoils,
        )  # fmt: skip
        for rank, one in enumerate(seen):
            expect(one["stepped"], f"steps taken on rank {rank}, param_dtype {param_dtype}").equals(
                [spoil is None for spoil in spoils], "the norm is inf or nan on all ranks, or finite on all"
            )
            if param_dtype is None:
                for step, expected in enumerate(history):
                    expect_weights(
                        one["weights"][step], expected, f"on rank {rank} after step {step + 1}",
                        "all ranks scale by the norm of the whole gradient, and leave the same steps out",
                    )  # fmt: skip
        expect(seen[0]["norms"], f"norms on rank 0, None if not finite, param_dtype {param_dtype}").equals(
            seen[1]["norms"], "every rank gets the same number"
        )
        if param_dtype is None:
            for step, norm in enumerate(norms):
                if norm is not None:
                    expect(seen[0]["norms"][step], f"norm of step {step + 1}").close_to(
                        norm, NORM, "the norm of the averaged gradient, before it is clipped"
                    )


def test_norm_sends_numbers_not_gradients(observe, draw):
    """The ranks exchange at most 64 bytes, however many gradients there are."""
    gradients = [[draw.normal(draw.integer(40, 60)) for _ in range(12)] for _ in range(2)]
    seen = observe(scenarios.clipped, ranks=2, gradients=gradients, max_norm=1.0)
    for rank, one in enumerate(seen):
        expect(sum(bytes_sent(one["calls"]).values()), f"bytes that the norm needs, rank {rank}").less_than(
            65, "one sum of squares a rank is enough: add up all shards first, then reduce one number"
        )
        expect(one["norm"], f"norm on rank {rank}").close_to(norm_of(gradients), NORM, "the norm of all of them")


def test_norms_that_cannot_be_limits_are_refused(observe, draw):
    """A negative limit, or nan, gets a ValueError; a process without a group gets a RuntimeError."""
    gradient, limits = draw.normal(draw.integer(2, 6)), [-draw.number(0.1, 2.0), -INF, NAN]
    for rank, (*raised, after) in enumerate(observe(scenarios.clip_refused, ranks=2, gradient=gradient, limits=limits)):
        for limit, one in zip(limits, raised, strict=True):
            expect_value_error(one, f"clip_grad_norm with a limit of {limit:.3g}, rank {rank}")
        expect(after, f"gradient after it, rank {rank}").equals(gradient, "bad input changes nothing")
    alone = observe(scenarios.clip_refused, gradient=gradient, limits=[1.0])
    expect_value_error(alone[0], "clip_grad_norm without a group", type_name="RuntimeError")


STRUCTURES = {
    "containers": {"parts": [[[0, 1]], [[2, 3], [4, 5]]], "order": [0, 1], "container": "list in dict"},
    "tied": {"parts": [[[0, 1]], [[2, 3]], [[0, 5]]], "order": [0, 1, 2], "container": "dict"},
    "own and frozen": {"parts": [[[0, 1]], [[2, 3], [4, 5]]], "order": [0, 1], "scale": 6, "frozen": [2, 5]},
}


def test_whole_state_has_the_modules_names(observe, draw):
    """Each rank gets every parameter, whole, in float32 and under each of its names, and the buffers that are saved."""
    half, full = torch.bfloat16, torch.float32
    kinds = draw.shuffled([(full, None), (full, half), (half, None)])
    for (name, structure), (dtype, param_dtype) in zip(STRUCTURES.items(), kinds, strict=True):
        tensors = drawn_tensors(draw, 3, draw.choice((3, 5)), scale=True)
        seen = observe(
            scenarios.whole_state, ranks=2, tensors=tensors, structure=structure, dtype=dtype, param_dtype=param_dtype
        )
        for rank, one in enumerate(seen):
            what = f"{name}, {dtype} module, param_dtype {param_dtype}, rank {rank}"
            buffers = ("table", "mean")
            expected = {key: value if key in buffers else value.float() for key, value in one["before"].items()}
            expect(sorted(one["state"]), f"names in the state, {what}").equals(
                sorted(expected), "the names are those of module.state_dict(), tied parameters under each"
            )
            values = torch.cat([value.flatten() for key, value in sorted(one["before"].items()) if "weight" in key])
            wanted = [tensors[pair[0]].to(dtype) for part in structure["parts"] for pair in part]
            expect(values.sort().values, f"weights of the module, {what}").equals(
                torch.cat([one.flatten() for one in wanted]).sort().values, "sharding starts from the module's weights"
            )
            why = "whole, unpadded and unrounded: gathered from the float32 shards, not from what was computed with"
            expect(one["state"], f"state, {what}").equals(expected, why)
            expect(one["again"], f"state after the first one was set to 0, {what}").equals(
                expected, "the state is a copy: changing it changes neither shards nor buffers"
            )
            loads, larger, after = one["larger"]
            expect(loads, f"loading a state in float64, {what}").equals(None, "names and shapes are the module's")
            expect(after, f"state after one in float64 was loaded, {what}").equals(
                {key: value if key in buffers else value.float() for key, value in larger.items()},
                "parameters, tied and frozen ones too, and buffers are all loaded",
            )
            expect(one["graph"], f"names with a graph, {what}").equals([], "values, without a graph")
            expect(one["fits"], f"loading it into a plain module, {what}").equals(None, "it fits a plain module")


def expect_loaded(observe, draw, ranks: int, param_dtype: torch.dtype | None) -> None:
    sizes, settings = drawn_sizes(draw, ranks=ranks), {"lr": draw.number(0.01, 0.02)}
    state, other = drawn_state(draw, sizes), drawn_state(draw, sizes)
    steps = drawn_steps(draw, sizes, 3, ranks)
    seen = observe(
        scenarios.loaded, ranks=ranks, state=state, other=other, steps=steps, settings=settings,
        param_dtype=param_dtype,
    )  # fmt: skip
    start = [tensor.double() for pair in other for tensor in pair]
    history = [start, *trained(other, steps[1:], Sgd(**settings))]
    names = [f"{index}.{name}" for index in range(len(other)) for name in ("weight", "bias")]
    for rank, one in enumerate(seen):
        what = f"on rank {rank} of {ranks}, param_dtype {param_dtype}"
        expect(one["same"], f"the shards are the same objects {what}").equals(
            True, "copy into the shards: the optimizer holds them"
        )
        expect(one["buffer"], f"the buffer {what}").equals(torch.arange(3.0), "buffers are a part of the state")
        for name, tensor in zip(names, [tensor for pair in other for tensor in pair], strict=True):
            expect(one["states"][0][name], f"{name} right after loading {what}").equals(
                tensor, "each rank copies its own part of the whole state, padded as when it was cut"
            )
        if param_dtype is None:
            for step, expected in enumerate(history):
                for name, tensor in zip(names, expected, strict=True):
                    expect(one["states"][step][name], f"{name}, {step} steps after loading {what}").close_to(
                        tensor, FLOAT32, "after loading, training goes on from the loaded weights", torch.float32
                    )


def test_loaded_state_is_trained_on(observe, draw):
    """A whole state replaces the weights and buffers of all ranks; the optimizer goes on with the same shards."""
    for param_dtype in draw.shuffled([None, torch.bfloat16]):
        expect_loaded(observe, draw, 2, param_dtype)


def test_whole_state_fits_four_ranks(observe, draw):
    """The same on four ranks: a whole state belongs to no number of ranks."""
    expect_loaded(observe, draw, 4, None)


def test_states_of_other_models_are_refused(observe, draw):
    """Names or shapes that are not the module's get a ValueError, and nothing has changed."""
    sizes = drawn_sizes(draw)
    state, other = drawn_state(draw, sizes), drawn_state(draw, sizes)
    for rank, one in enumerate(observe(scenarios.load_refused, ranks=2, state=state, other=other)):
        for call, raised in one["raised"].items():
            expect_value_error(raised, f"loading a state, {call}, rank {rank}")
        expected = {
            f"{index}.{name}": value
            for index, pair in enumerate(state)
            for name, value in zip(("weight", "bias"), pair, strict=True)
        }
        expect(one["state"], f"state after the refused ones, rank {rank}").equals(
            expected | {"table": torch.zeros(3), "count": torch.zeros(())},
            "compare all names and shapes before the first copy",
        )
