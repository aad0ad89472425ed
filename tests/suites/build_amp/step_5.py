"""Step 5, watching: one behaviour a test, judged by the values that a scenario brought back."""

import itertools
import math

import torch

from labkit.judge.expect import Tolerance, expect, expect_error
from references.build_amp.common import INF, NAN
from references.build_amp.step_5 import (
    drawn_names,
    drawn_repeats,
    drawn_steps,
    drawn_tree,
    norm_of,
    small,
    with_entries,
)
from scenarios.build_amp import step_5 as scenarios

SUMS = Tolerance("float32 rounding of a few sums", rtol=1e-5)


# classify


def test_classify_names_each_kind(observe, draw):
    """Each gradient gets the name of what is the matter with it."""
    infinities = itertools.cycle(draw.shuffled((INF, -INF)))  # each kind comes twice
    makers = {
        "none": lambda *shape: None,
        "nan": lambda *shape: with_entries(draw, draw.normal(*shape), [NAN]),
        "inf": lambda *shape: with_entries(draw, draw.normal(*shape), [next(infinities)]),
        "zero": lambda *shape: torch.zeros(shape) * draw.choice((1.0, -1.0)),
        "underflow": lambda *shape: small(draw, *shape),
        "ok": lambda *shape: draw.away_from_zero(*shape),
    }
    kinds = draw.shuffled([*makers, *makers])
    gradients = [makers[kind](*draw.choice(((3,), (2, 4), (2, 1, 3), (1,)))) for kind in kinds]
    gradients = [gradient if gradient is None or len(gradient) > 1 else gradient[0] for gradient in gradients]
    names = drawn_names(draw, len(kinds))
    (seen,) = observe(scenarios.classify, names=names, gradients=gradients, settings=[{"dtype": torch.float16}])
    expect(seen, "kinds").equals(
        dict(zip(names, kinds, strict=True)), "none, nan, inf, zero, underflow, ok: look at every entry of each"
    )


def test_classify_names_the_first_that_applies(observe, draw):
    """A gradient to which several names apply gets the first of them."""
    entries = {
        "nan": [NAN, draw.choice((INF, -INF)), 0.0],
        "inf": [INF, -INF, 0.0],
    }
    kinds = draw.shuffled([*entries] * 5)
    gradients = []
    for kind in kinds:
        others = draw.choice((small(draw, 2, 4), torch.zeros(2, 4), draw.normal(2, 4)))
        gradients.append(with_entries(draw, others, entries[kind]))
    names = drawn_names(draw, len(kinds))
    (seen,) = observe(scenarios.classify, names=names, gradients=gradients, settings=[{"dtype": torch.float16}])
    expect(seen, "kinds").equals(dict(zip(names, kinds, strict=True)), "nan before inf, and both before zero")


def test_underflow_is_that_of_dtype_and_scale(observe, draw):
    """An entry underflows if it would be zero in the dtype, after multiplication by the scale."""
    largest_lost = {  # half of the smallest number of float16; of those of bfloat16 some processors make zero
        torch.float16: 2.0**-25,
        torch.bfloat16: 2.0**-134,
        torch.float32: 0.0,
    }
    sizes = [2.0**-25, 1.01 * 2.0**-25, 0.99 * 2.0**-25, 1e-7, 2.0**-15, 2.0**-100, 2.0**-140]  # after the scale
    for dtype in draw.shuffled(list(largest_lost)):
        for scale in draw.shuffled((1.0, 2.0 ** draw.integer(1, 8))):
            usable = draw.shuffled(sizes[:-1] if dtype == torch.float32 else sizes)
            gradients = [draw.away_from_zero(3).sign() * (size / scale) for size in usable]
            names = drawn_names(draw, len(usable) + 1)
            seen = observe(
                scenarios.classify,
                names=names,
                gradients=[*gradients, draw.away_from_zero(3).sign() * 3e38],
                settings=[{"dtype": dtype} | ({} if scale == 1.0 else {"scale": scale})] * 2,
            )
            kinds = ["underflow" if size <= largest_lost[dtype] else "ok" for size in usable] + ["ok"]
            for name, kind, size in zip(names, kinds, [*usable, 3e38 * scale], strict=True):
                what = f"a gradient of +-{size / scale:.6g}, {dtype}, scale {scale:g}"
                why = "multiply by the scale in float32, round to the dtype, and look what has become zero"
                expect(seen[0].get(name), what).equals(kind, why)
                expect(seen[1].get(name), f"{what}, the second time").equals(kind, "the gradients stay as they are")


def test_underflow_is_a_share_of_the_nonzero_entries(observe, draw):
    """A gradient underflows if the share of its lost entries, of those that are not zero, is above the limit."""
    lost = draw.shuffled(range(9))
    gradients = []
    for count in lost:
        entries = torch.cat([small(draw, count), draw.away_from_zero(8 - count), torch.zeros(draw.integer(0, 12))])
        gradients.append(entries[draw.shuffled(range(len(entries)))])
    names, limits = drawn_names(draw, len(lost)), draw.shuffled((0.0, 0.25, 0.5, 0.75, 1.0, None))
    settings = [{"dtype": torch.float16} | ({} if limit is None else {"limit": limit}) for limit in limits]
    seen = observe(scenarios.classify, names=names, gradients=gradients, settings=settings)
    for limit, kinds in zip(limits, seen, strict=True):
        above = [count / 8 > (0.5 if limit is None else limit) for count in lost]
        expected = dict(zip(names, ("underflow" if one else "ok" for one in above), strict=True))
        expect(kinds, "kinds" if limit is None else f"kinds with limit {limit}").equals(
            expected, "count the entries that are lost among those that are not zero; the limit itself is not above it"
        )


# first_nonfinite


def expect_found(seen: list, expected: list, why: str) -> None:
    for number, (found, name) in enumerate(zip(seen, expected, strict=True)):
        expect(found, f"first_nonfinite of model {number}").equals(name, why)


def test_first_nonfinite_follows_the_order_of_running(observe, draw):
    """The first leaf to give inf or nan is named, in whichever of its runs, whatever comes of it later."""
    counts = draw.shuffled((0, 1, 1, 2, 2, 3, 3))
    trees = [drawn_tree(draw, ["tensor"] * spoiled) for spoiled in counts] + drawn_repeats(draw)
    alone = draw.shuffled((INF, NAN, None))
    specs = [tree for tree, _ in trees] + [{"spoils": [spoil]} for spoil in alone]
    dtypes = [draw.choice((torch.float16, torch.bfloat16, torch.float32)) for _ in specs]
    seen = observe(scenarios.first_nonfinite, specs=specs, inputs=draw.normal(2, 3), dtypes=dtypes)
    names = [name for _, name in trees] + [None if spoil is None else "" for spoil in alone]
    expect_found(seen, names, "hook every module without children, and look at its output when it has run")


def test_first_nonfinite_looks_into_every_output(observe, draw):
    """Tuples, lists and dicts of tensors are looked into, and integers are always finite."""
    forms = ("tensor", "tuple", "list", "dict")
    spoiled = [[], *([form] for form in forms), draw.shuffled(forms), draw.shuffled(forms)]
    trees = [drawn_tree(draw, some, (*forms, "integers")) for some in spoiled]
    trees = draw.shuffled([*trees, drawn_tree(draw, [], ["integers"])])
    seen = observe(
        scenarios.first_nonfinite,
        specs=[tree for tree, _ in trees],
        inputs=draw.normal(2, 3),
        dtypes=[draw.choice((torch.float16, torch.bfloat16, torch.float32)) for _ in trees],
    )
    expect_found(seen, [name for _, name in trees], "an output is a tensor, or holds some: look at all of them")


def test_first_nonfinite_runs_in_the_dtype(observe, draw):
    """A layer overflows in float16, another one only in bfloat16, none in float32."""
    for _ in range(5):
        names = draw.shuffled("stuvwxyz")[:5]
        half, wide = draw.shuffled(names)[:2]
        sizes = {half: 2.0 ** draw.integer(19, 60), wide: 3.4e38}
        weights = [torch.eye(4) * sizes.get(name, 1.0) for name in names]
        dtypes = draw.shuffled((torch.float16, torch.bfloat16, torch.float32))
        inputs = draw.away_from_zero(2, 4, low=0.3, high=1.0)
        seen = observe(scenarios.first_in_dtypes, names=names, weights=weights, inputs=inputs, dtypes=dtypes)
        expected = {torch.float16: min(half, wide, key=names.index), torch.bfloat16: wide, torch.float32: None}
        for dtype, found in zip(dtypes, seen, strict=True):
            expect(found, f"first_nonfinite in {dtype}").equals(
                expected[dtype], "run the model under Autocast(dtype), and for float32 without it"
            )


def test_first_nonfinite_leaves_the_model_alone(observe, draw):
    """The model runs once, without gradients, in the modes that it is in, and its modules keep them."""
    modes = [[draw.choice((True, False)) for _ in range(2)] for _ in range(6)]
    dtypes = draw.shuffled((torch.float16, torch.bfloat16, torch.float32) * 2)
    bad = draw.pattern(6, share=0.5)
    inputs = [with_entries(draw, draw.normal(2, 3), [INF] if one else []) for one in bad]
    seen = observe(scenarios.how_it_runs, modes=modes, dtypes=dtypes, inputs=inputs)
    for mode, dtype, one, got in zip(modes, dtypes, bad, seen, strict=True):
        of_half = torch.bfloat16 if dtype == torch.float32 else dtype
        expect(got["runs"], "runs: [gradients, train mode, dtypes of a float32 and of a bfloat16 product]").equals(
            [[False, mode[1], dtype, of_half]],
            f"once, under no_grad, in the mode that the module was in, {dtype} (float32: without Autocast)",
        )
        expect(got["found"], "found").equals("0.0" if one else None, "the inf of an input comes out of the first leaf")
        expect(got["modes"], "train mode afterwards").equals(mode, "a mode that is changed is put back everywhere")
        expect([got["gradient"], got["grad_enabled"]], "[has a gradient, gradients enabled afterwards]").equals(
            [False, True], "`with torch.no_grad():` ends with its block"
        )


def test_first_nonfinite_takes_its_hooks_away(observe, draw):
    """No hook stays on the model, also if it raises, and the hooks of others stay."""
    kinds = draw.shuffled(["fails", "spoils", "passes"] * 3)
    seen = observe(
        scenarios.hooks_afterwards,
        failing=[kind == "fails" for kind in kinds],
        spoils=[draw.choice((INF, NAN)) if kind == "spoils" else None for kind in kinds],
        inputs=draw.normal(2, 3),
        dtype=draw.choice((torch.float16, torch.bfloat16, torch.float32)),
    )
    for kind, one in zip(kinds, seen, strict=True):
        if kind == "fails":
            expect_error(one["found"], "a model that raises", "ArithmeticError", "what the model raises passes through")
        else:
            expect(one["found"], "found").equals("0" if kind == "spoils" else None, "a run as every other")
        why = "remove each hook by its handle in a `finally`, and no other"
        expect(one["hooks"], f"hooks that were added, model that {kind}").equals(0, why)
        expect(one["calls"], "calls of a hook that was there before, now and in a later run").equals(2, why)


# global_norm


def test_global_norm_is_that_of_all_entries(observe, draw):
    """The norm is that of all entries of all gradients together, divided by the scale."""
    dtypes = (torch.float16, torch.bfloat16, torch.float32, torch.float64)
    lists, scales = [], []
    for default in draw.shuffled((True, False) * 2):
        some = [draw.away_from_zero(*draw.choice(((3,), (2, 4), (1,)))).to(dtype) for dtype in dtypes]
        lists.append(draw.shuffled([*some, None]))
        scales.append(None if default else draw.number(2.0, 900.0))
    expected = [norm_of(some) / (scale or 1.0) for some, scale in zip(lists, scales, strict=True)]
    for value in draw.shuffled((INF, -INF, NAN)):
        lists.append(draw.shuffled([draw.normal(3), with_entries(draw, draw.normal(2, 2), [value])]))
        scales.append(draw.number(2.0, 900.0))
        expected.append(abs(value))
    for nothing in ([], [None, None]):
        lists.append(nothing)
        scales.append(draw.number(2.0, 900.0))
        expected.append(0.0)
    order = draw.shuffled(range(len(lists)))
    seen = observe(
        scenarios.global_norms, gradients=[lists[place] for place in order], scales=[scales[place] for place in order]
    )
    for place, (norm, again) in zip(order, seen, strict=True):
        what = f"global_norm of {len(lists[place])} gradients, scale {scales[place] or 1.0:.4g}"
        why = "the root of the sum of all squares, over the scale: neither a mean nor a sum of norms"
        expect(norm, what).close_to(expected[place], SUMS, why)
        expect(again, f"{what}, the second time").close_to(expected[place], SUMS, "the gradients stay as they are")


def test_global_norm_survives_half_gradients(observe, draw):
    """Gradients in half whose squares are not numbers of their dtype have a norm all the same."""
    cases = []
    for dtype, size in ((torch.float16, 3e4), (torch.float16, 2.0**-18), (torch.bfloat16, 1.0), (torch.bfloat16, 1e-3)):
        gradients = [(draw.away_from_zero(draw.integer(200, 400)) * size).to(dtype) for _ in range(5)]
        cases.append((gradients, 2.0 ** draw.integer(10, 16)))
    cases = draw.shuffled(cases)
    seen = observe(
        scenarios.global_norms, gradients=[gradients for gradients, _ in cases], scales=[scale for _, scale in cases]
    )
    for (gradients, scale), norms in zip(cases, seen, strict=True):
        for norm in norms:
            expect(norm, f"global_norm in {gradients[0].dtype}").close_to(
                norm_of(gradients) / scale, SUMS, "square, add and divide in float32 or wider"
            )


# Monitor


def expect_summary(seen: dict, steps: list[dict], why: str) -> None:
    finite = [step["norm"] for step in steps if math.isfinite(step["norm"])]
    expected = {
        "steps": len(steps),
        "throughput": sum(step["samples"] for step in steps) / sum(step["seconds"] for step in steps),
        "norm": sum(finite) / len(finite) if finite else NAN,
        "overflows": len(steps) - len(finite),
        "peak_bytes": max(step.get("peak_bytes", 0) for step in steps),
    }
    expect(sorted(seen), "keys").equals(sorted(expected), "these five are asked for")
    for name, value in expected.items():
        if isinstance(value, int):
            expect(seen[name], name).equals(value, why)
        else:
            expect(seen[name], name).close_to(value, SUMS, why)


def test_monitor_sums_up_its_steps(observe, draw):
    """A summary is of all steps that this monitor has seen so far, and more can follow."""
    runs = [drawn_steps(draw, [draw.number(0.1, 9.0) for _ in range(draw.integer(4, 7))]) for _ in range(2)]
    first = draw.integer(1, 3)
    seen = observe(scenarios.monitor, runs=runs, report_at=[first])
    for steps, summaries in zip(runs, seen, strict=True):
        why = "all samples over all seconds, the mean norm and the highest peak of this monitor's steps"
        for count, summary in zip((first, len(steps)), summaries, strict=True):
            expect_summary(summary, steps[:count], why)


def test_monitor_counts_overflows(observe, draw):
    """Norms that are inf or nan are counted, and left out of the mean; if all are, it is nan."""
    mixed = [
        [draw.choice((INF, NAN)) if bad else draw.number(0.1, 9.0) for bad in draw.pattern(7, share=0.5)]
        for _ in range(2)
    ]
    runs = [drawn_steps(draw, norms) for norms in (*mixed, [draw.choice((INF, NAN)) for _ in range(3)])]
    seen = observe(scenarios.monitor, runs=runs, report_at=[])
    for steps, (summary,) in zip(runs, seen, strict=True):
        expect_summary(
            summary, steps, "a mean with an inf in it is inf: count these steps, and take the mean of others"
        )


def test_monitor_refuses_to_sum_up_nothing(observe, draw):
    """Without a step there is nothing to sum up: a ValueError; then it goes on as a new one."""
    runs = [drawn_steps(draw, [draw.number(0.1, 9.0)]) for _ in range(4)]
    seen = observe(scenarios.monitor, runs=runs, report_at=[0])
    for steps, (refused, summary) in zip(runs, seen, strict=True):
        expect_error(refused, "summary() of a monitor without steps", "ValueError", "no step, no mean")
        expect_summary(summary, steps, "a summary that is refused changes nothing")
