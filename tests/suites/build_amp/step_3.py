"""Step 3, autocast: one behaviour a test, judged by the values that a scenario brought back."""

import itertools

import torch
from torch import Tensor

from labkit.judge.expect import Tolerance, expect
from labkit.observe import attempt
from labkit.observe.values import Raised
from references.build_amp.common import HALVES
from references.build_amp.step_3 import (
    calls_of_each_list,
    calls_on_other_tensors,
    calls_with_lists_and_keywords,
    calls_with_out,
    failures_of,
    float32_calls,
    in_dtype,
    lowered_calls,
    operand,
    other_calls,
    promoting_calls,
    region,
    steps_in,
    widened,
)
from scenarios.build_amp import step_3 as scenarios

BF16, FP16 = torch.bfloat16, torch.float16
EXACT = Tolerance("nothing is rounded on the way", atol=0.0)
FLOAT64 = Tolerance("a few float64 roundings of 2^-53 each", rtol=1e-13, atol=1e-13)
FLOAT32 = Tolerance("a few float32 roundings of 2^-24 each", rtol=1e-5, atol=1e-6)
ONE_ULP = Tolerance("the exact sum, rounded once; adding a bias may round once more", ulps=1.01)


def expect_linear(seen: object, what: str, dtype: torch.dtype, x: Tensor, weight: Tensor, why: str) -> None:
    """A linear layer without bias, in half precision or in float32."""
    tolerance = FLOAT32 if dtype == torch.float32 else ONE_ULP
    expect(seen, what).close_to(in_dtype(dtype, x, weight), tolerance, why, dtype=dtype)


def test_matrix_functions_compute_in_the_dtype(observe, draw):
    """Every function of LOWER computes in the region's dtype, whatever mix of float32 and half it gets."""
    calls = lowered_calls(draw)
    seen = observe(scenarios.calls_in_region, calls=calls, dtype=BF16)
    why = "a function of LOWER gets all of its float16, bfloat16 and float32 tensors in the region's dtype"
    for one, result in zip(calls, seen, strict=True):
        with torch.autocast("cpu", BF16):
            expected = scenarios.call(**one)
        expect(result, one["function"]).close_to(expected, ONE_ULP, why)


def test_region_has_the_dtype_that_was_asked_for(observe, draw):
    """Autocast(torch.float16) runs in float16, Autocast(torch.bfloat16) in bfloat16."""
    dtypes = [HALVES[first] for first in draw.pattern(10, share=0.5)]
    x, weight = operand(draw, 3, 8), operand(draw, 4, 8)
    given = {"x": x, "weight": weight, "dtypes": dtypes, "by_keyword": draw.pattern(10, share=0.5)}
    seen = observe(scenarios.linear_in_regions, **given)
    for dtype, result in zip(dtypes, seen, strict=True):
        expect_linear(result, f"F.linear in {dtype}", dtype, x, weight, "`dtype` is that of the region")


def test_losses_compute_in_float32(observe, draw):
    """Every function of FP32 gets its float16 and bfloat16 tensors in float32, and gives float32."""
    calls = float32_calls(draw)
    seen = observe(scenarios.calls_in_region, calls=calls, dtype=draw.choice(HALVES))
    why = "a function of FP32 gets its half tensors in float32, those of both formats; casting its result is too late"
    for one, result in zip(calls, seen, strict=True):
        expect(result, one["function"]).close_to(scenarios.call(**widened(one)), FLOAT32, why)


def test_promoting_functions_take_the_widest_dtype(observe, draw):
    """Every function of PROMOTE gets its floating point tensors in the dtype that all of them promote to."""
    calls, expected = promoting_calls(draw)
    seen = observe(scenarios.calls_in_region, calls=calls, dtype=draw.choice(HALVES))
    why = "all floating point tensors go to the dtype that they promote to: float32 for float16 beside bfloat16"
    for one, result, value in zip(calls, seen, expected, strict=True):
        expect(result, one["function"]).close_to(value, EXACT, why)


def test_other_functions_run_as_they_are(observe, draw):
    """A function that is in no list gets float32 in float32 and half in half."""
    calls = other_calls(draw)
    seen = observe(scenarios.calls_in_region, calls=calls, dtype=draw.choice(HALVES))
    why = "a function runs as it is unless its `__name__` is in a list"
    for one, result in zip(calls, seen, strict=True):
        expected = scenarios.call(**one)
        tolerance = FLOAT32 if expected.dtype == torch.float32 else ONE_ULP
        expect(result, f"{one['function']} of {expected.dtype}").close_to(expected, tolerance, why)


def test_calls_with_out_run_as_they_are(observe, draw):
    """A function that is called with out= writes its float32 result there."""
    calls = calls_with_out(draw)
    seen = observe(scenarios.calls_in_region, calls=calls, dtype=draw.choice(HALVES))
    why = "a call with `out=` runs as it is: a copy of `out` in another dtype would get the result"
    for one, result in zip(calls, seen, strict=True):
        expect(result, f"{one['function']} with out=").close_to(scenarios.call(**one), FLOAT32, why)


def test_other_tensors_pass_as_they_are(observe, draw):
    """float64, integers and bools pass through every function as they are."""
    calls = calls_on_other_tensors(draw)
    seen = observe(scenarios.calls_in_region, calls=calls, dtype=BF16)
    for one, result in zip(calls, seen, strict=True):
        expected = scenarios.call(**one)
        tolerance = FLOAT64 if expected.dtype == torch.float64 else ONE_ULP
        why = "only float16, bfloat16 and float32 are cast: labels, masks, indices and float64 are not"
        expect(result, f"{one['function']} of {expected.dtype}").close_to(expected, tolerance, why)


def test_tensors_in_lists_and_keywords_are_cast(observe, draw):
    """Tensors in keyword arguments, in lists and in tuples are cast as the others are."""
    calls = calls_with_lists_and_keywords(draw)
    seen = observe(scenarios.calls_in_region, calls=calls, dtype=BF16)
    why = "a function's tensors are in `args` and in `kwargs`, and may be inside a list or a tuple there"
    for one, result in zip(calls, seen, strict=True):
        with torch.autocast("cpu", BF16):
            expected = scenarios.call(**one)
        tolerance = FLOAT32 if expected.dtype == torch.float32 else ONE_ULP
        expect(result, one["function"]).close_to(expected, tolerance, why)


def drawn_training(draw) -> dict:
    """Weights, a batch and targets for `scenarios.Tied`."""
    weights = [draw.normal(4, 3, 2), draw.normal(12).abs() + 0.5, draw.normal(12, 12, scale=0.3), draw.normal(12)]
    return {"weights": weights, "x": draw.normal(5, 3, 4), "target": draw.normal(5, 12)}


def test_gradients_flow_through_the_casts(observe, draw):
    """Backward gives every float32 parameter, and the input, the gradient that torch.autocast gives, in float32."""
    given = drawn_training(draw)
    seen = observe(scenarios.gradients_in_region, **given)
    expected = scenarios.train_tied(lambda: torch.autocast("cpu", BF16), **given)
    why = "autograd has to see the casts: a detach, or a cast under no_grad, cuts the parameter off"
    for index, gradient in enumerate(expected["gradients"]):
        tolerance = Tolerance(
            "a few roundings to bfloat16 of 2^-9 each, of the largest terms", atol=0.02 * gradient.abs().max().item()
        )
        what = "gradient of the input" if index == len(given["weights"]) else f"gradient of parameter {index}"
        expect(seen["gradients"][index], what).close_to(gradient, tolerance, why)


def test_tensors_of_the_caller_stay(observe, draw):
    """Parameters, and the lists that a function is called with, stay as they are."""
    given = drawn_training(draw)
    seen = observe(scenarios.gradients_in_region, **given)
    for index, weight in enumerate(given["weights"]):
        why = "a cast is a copy: the float32 parameters are the master weights"
        expect(seen["weights"][index], f"parameter {index} afterwards").close_to(weight, EXACT, why)
    tensors = [draw.normal(3, 8), draw.normal(8, 4)]
    left = observe(scenarios.callers_list, tensors=tensors, dtype=draw.choice(HALVES))
    expect(left, "the caller's list afterwards").equals(tensors, "put the casts into a new list")


def test_cast_without_gradients_serves_no_training(observe, draw):
    """A weight that was used under no_grad gets its gradient from the passes with gradients in the same region."""
    switched = [False, *draw.pattern(9, share=0.5)]
    inputs, weight = [operand(draw, 2, 8) for _ in switched], operand(draw, 4, 8)
    given = {"weight": weight, "inputs": inputs, "with_gradients": switched}
    seen = observe(scenarios.passes_with_gradients_switched, **given)
    why = "a cast made under no_grad has no way back to the weight: a pass with gradients needs another"
    expect(seen["requires_grad"], "which outputs require a gradient").equals(switched, why)
    rows = sum(x.bfloat16().float().sum(dim=0) for x, on in zip(inputs, switched, strict=True) if on)
    rounding = Tolerance("sums of up to 10 terms below 4 in bfloat16", atol=0.5)
    expect(seen["gradient"], "gradient of the weight").close_to(rows.expand(4, 8), rounding, why)


def used(draw, count: int, most: int = 3) -> list[dict]:
    """Steps that use some of `count` weights, each up to `most` times, in a drawn order."""
    return draw.shuffled([{"weight": index} for index in range(count) for _ in range(draw.integer(0, most))])


def test_weight_is_cast_once(observe, draw):
    """A weight is cast to a dtype once until the outermost region ends, however often it is used there."""
    count = 4
    inner, other = draw.shuffled(HALVES)
    programs = [[region(used(draw, count), dtype)] for dtype in draw.shuffled(HALVES * 2)]
    for dtype, enabled, failure in ((inner, True, ""), (other, True, ""), (inner, False, ""), (inner, True, "stop")):
        body = [*used(draw, count), region(used(draw, count), dtype, enabled, failure), *used(draw, count)]
        programs.append([region(body, inner)])
    programs.append([region([region(used(draw, count)), region(used(draw, count))], enabled=False)])
    weights = [operand(draw, 5, 8) for _ in range(count)]
    given = {"programs": programs, "with_gradients": draw.pattern(len(programs)), "weights": weights}
    seen = observe(scenarios.casts_of_weights, **given, x=operand(draw, 3, 8))
    why = "keep the cast of a weight until the outermost region ends: the end of an inner one forgets nothing"
    for number, program in enumerate(programs):
        used_in = {(step["weight"], dtype) for step, dtype in steps_in(program) if dtype != torch.float32}
        expected = [sum(index == weight for weight, _ in used_in) for index in range(count)]
        expect(seen[number], f"casts of each weight in region {number}").equals(expected, why)


def test_changed_weight_is_cast_again(observe, draw):
    """A weight that an optimizer's step or a copy changes inside a region is used as it is then."""
    kinds = ("step", "copy", "turn")
    # Of each kind a change follows a pass with the same gradient mode, whose cast it makes old.
    groups = draw.shuffled([(kind,) for kind in (*kinds, "none") * 2] + [("none", kind) for kind in kinds])
    changes = [
        {"how": how, "by": operand(draw, 4, 8), "gradients": not off}
        for group, off in zip([("none",), *groups], draw.pattern(1 + len(groups)), strict=True)
        for how in group
    ]
    weight, inputs = operand(draw, 4, 8), [operand(draw, 3, 8) for _ in changes]
    seen = observe(scenarios.passes_with_changed_weight, weight=weight, inputs=inputs, changes=changes)
    why = "an in-place change makes the cast that was kept old: a tensor counts them in `_version`"
    rounded = Tolerance("an exact sum, rounded once to bfloat16", rtol=2**-8, atol=1e-6)
    for number, (x, change) in enumerate(zip(inputs, changes, strict=True)):
        after = {"none": weight, "step": weight - change["by"], "copy": change["by"], "turn": weight.flip(0)}
        weight = after[change["how"]]
        expect(seen["outputs"][number], f"output {number}").close_to(in_dtype(BF16, x, weight), ONE_ULP, why)
        what, gradient = f"gradient of input {number}", seen["gradients"][number]
        if change["gradients"]:
            rows = weight.bfloat16().double().sum(dim=0).float().expand(3, 8)
            expect(gradient, what).close_to(rows, rounded, "an earlier pass keeps the cast that it was made with")
        else:
            expect(gradient, what).equals(None, "gradients were off")


def test_every_weight_has_a_cast_of_its_own(observe, draw):
    """Weights that are equal in shape, live one after the other, or share memory never get each other's cast."""
    x, memory = operand(draw, 3, 8), operand(draw, 8, 8)
    rounds = [[operand(draw, 4, 8) for _ in range(8)] for _ in range(4)]
    for frozen in draw.shuffled((True, False)):
        seen = observe(scenarios.outputs_of_passing_weights, rounds=rounds, x=x, frozen=frozen)
        why = "id() and addresses are given again once a tensor is freed: hold the tensor as long as its cast"
        for number, weights in enumerate(rounds):
            for index, weight in enumerate(weights):
                what = f"output with weight {index} of round {number}"
                expect_linear(seen[number][index], what, BF16, x, weight, why)
    order = draw.shuffled(list(range(5)) * 2)
    seen = observe(scenarios.outputs_of_weights_in_one_memory, memory=memory, x=x, order=order)
    views = [memory, memory.t(), memory[:4], memory[::2], memory[4:]]
    for result, index in zip(seen, order, strict=True):
        why = "two weights may be views of one memory: a weight is known by its identity, not by its address"
        expect_linear(result, f"output with view {index} of one memory", BF16, x, views[index], why)


def test_casts_of_other_tensors_are_not_kept(observe, draw):
    """Frozen weights and activations are cast whenever they are used."""
    frozen, activations = [operand(draw, 4, 8) for _ in range(5)], [operand(draw, 4, 8) for _ in range(5)]
    uses = [draw.integer(0, 4) for _ in range(10)]
    given = {"frozen": frozen, "activations": activations, "uses": uses, "x": operand(draw, 3, 8)}
    seen = observe(scenarios.casts_of_others, **given)
    why = "only leaf tensors that require a gradient are kept: casts of activations would stay until the region ends"
    expect(seen, "casts of 5 frozen weights and 5 activations").equals(uses, why)


def expect_program(seen: dict, program: list, weight: Tensor, why: str) -> None:
    """The outputs of a linear layer at each step of a program of nested regions."""
    for number, (step, dtype) in enumerate(steps_in(program)):
        expect_linear(
            seen["outputs"][number], f"output {number}, where {dtype} is asked for", dtype, step["x"], weight, why
        )


def test_regions_nest(observe, draw):
    """The innermost region decides, also one with enabled=False, and the one around it goes on when it ends."""

    def use() -> dict:
        return {"x": operand(draw, 2, 8)}

    program, weight = [use()], operand(draw, 3, 8)
    settings = [(dtype, enabled) for dtype in HALVES for enabled in (True, False)]
    for outer, inner in draw.shuffled(list(itertools.product(settings, settings))):
        innermost = region([use()], *draw.choice(settings))
        program += [region([use(), region([use(), innermost, use()], *inner), use()], *outer), use()]
    seen = observe(scenarios.outputs_of_program, program=program, weight=weight)
    expect_program(seen, program, weight, "the innermost region decides, and when it ends the one around it does again")


def test_disabled_region_runs_everything_as_it_is(observe, draw):
    """Inside of a region that is on, one with enabled=False runs the functions of all three lists as they are."""
    dtype = draw.choice(HALVES)
    calls = calls_of_each_list(draw, dtype)
    enabled = [on for kinds in zip(*(draw.pattern(4, share=0.5) for _ in range(3)), strict=True) for on in kinds]
    seen = observe(scenarios.calls_in_inner_regions, calls=calls, enabled=enabled, dtype=dtype)
    why = "`enabled=False` is for all lists: nothing is lowered, widened or promoted"
    for one, on, result in zip(calls, enabled, seen, strict=True):
        with torch.autocast("cpu", dtype, enabled=on):
            expected = attempt(lambda one=one: scenarios.call(**one))
        what = f"{one['function']} with enabled={on}"
        if isinstance(expected, Raised):  # torch.index_copy, of two dtypes
            expect(result, what).equals("raised", why)
        else:
            tolerance = FLOAT32 if expected.dtype == torch.float32 else ONE_ULP
            expect(result, what).close_to(expected, tolerance, why)


def test_exceptions_end_regions(observe, draw):
    """An exception ends its region, passes through, and leaves the region around it as it was."""

    def use() -> dict:
        return {"x": operand(draw, 2, 8)}

    program, weight = [use()], operand(draw, 3, 8)
    for inner_fails, outer_fails in zip(draw.pattern(10, share=0.5), draw.pattern(10, share=0.5), strict=True):
        kinds = draw.shuffled(("failure", "interrupt"))
        failures = [
            f"{kind} {draw.integer(0, 9999)}" if fails else ""
            for kind, fails in zip(kinds, (inner_fails, outer_fails), strict=True)
        ]
        inner, outer = draw.shuffled(HALVES)
        body = [use(), region([use()], inner, draw.choice((True, False)), failures[0]), use()]
        program += [region(body, outer, True, failures[1]), use()]
    seen = observe(scenarios.outputs_of_program, program=program, weight=weight)
    expect(seen["caught"], "what left each region").equals(
        failures_of(program), "a region lets exceptions pass: `__exit__` returns nothing"
    )
    expect_program(seen, program, weight, "a region ends by an exception too, and only the one that it left")


def test_failing_function_ends_no_region(observe, draw):
    """A function that raises in a region leaves it as it was: the next one is cast again."""
    fails, weight = draw.pattern(12, share=0.5), operand(draw, 3, 8)
    inputs = [operand(draw, 2, 7 if fail else 8) for fail in fails]
    program = [region([{"x": x} for x in inputs])]
    seen = observe(scenarios.outputs_of_program, program=program, weight=weight)
    why = "a function that fails in a region does not end it"
    for number, (x, fail, result) in enumerate(zip(inputs, fails, seen["outputs"], strict=True)):
        if fail:
            expect(result, f"call {number}, of tensors that do not fit").equals("raised", why)
        else:
            expect_linear(result, f"output {number}", BF16, x, weight, why)


def test_nothing_is_kept_after_the_outermost_region(observe, draw):
    """When the outermost region has ended, also by an exception, every cast is freed, and so is a dropped weight."""
    regions = []
    for kept, fails in zip(draw.pattern(10, share=0.5), draw.pattern(10, share=0.3), strict=True):
        inner = region([{}], draw.choice(HALVES), draw.choice((True, False)))
        program = [region([{}, inner, {}], draw.choice(HALVES), True, failure="stop" if fails else "")]
        regions.append({"program": program, "kept": kept, "gradients": draw.choice((True, False))})
    given = {"weights": [operand(draw, 4, 8) for _ in regions], "x": operand(draw, 3, 8), "regions": regions}
    seen = observe(scenarios.left_after_regions, **given)
    why = "forget the casts, and the weights that they belong to, when the outermost region ends"
    for number, one in enumerate(regions):
        what = f"after region {number}: is its weight there, and how many of its casts"
        expect(seen[number], what).equals([one["kept"], 0], why)
