"""Step 2, master weights: one behaviour a test, judged by the values that a scenario brought back."""

import torch
from torch import Tensor

from labkit.judge.expect import Tolerance, expect, expect_error
from references.build_amp.common import HALVES, INF, NAN, sgd, spoil
from references.build_amp.step_2 import clipped, drawn_halves, followed
from scenarios.build_amp import step_2 as scenarios

EXACT = Tolerance("nothing is rounded on the way", atol=0.0)
MASTER = Tolerance("float32 rounding over a dozen steps", rtol=1e-5, atol=2e-5)
SHAPES = [(4,), (2, 3), (1,)]


def expect_rounded(seen: object, master: Tensor, what: str) -> None:
    """The model's weight is the master, which is float32 by now, rounded to nearest."""
    expect(seen, what).equals(master, "after each step the model gets the masters, rounded to its own dtype")


def expect_steps(seen: dict, dtype: torch.dtype, masters: list[list[Tensor]], why: str) -> None:
    """`masters[step][parameter]` is what is expected of the masters; the model's weights are those seen, rounded."""
    for step, of_step in enumerate(masters):
        for index, master in enumerate(of_step):
            found = seen["masters"][step][index]
            expect(found, f"master {index} after step {step}").close_to(master.float(), MASTER, why)
            expect_rounded(seen["weights"][step][index], found.to(dtype), f"parameter {index} after step {step}")


def test_masters_are_float32_copies(observe, draw):
    """make_optimizer is called once, with a float32 copy of each parameter in the order of model.parameters()."""
    models, frozen = [], []
    for dtype in draw.shuffled(HALVES):
        weights = [draw.normal(draw.integer(1, 4)).to(dtype) for _ in range(4)]
        models.append((weights, dtype))
        frozen.append(draw.pattern(4))
    seen = observe(scenarios.masters_of, models=models, frozen=frozen)
    for one, (weights, _) in zip(seen, models, strict=True):
        expect(one["calls"], "calls of make_optimizer").equals(1, "one optimizer steps all masters")
        expect(one["masters"], "masters").equals(
            [weight.float() for weight in weights], "a float32 copy of each parameter, frozen ones too, in their order"
        )


def test_models_of_other_dtypes_are_refused(observe, draw):
    """A model without parameters, or of float32, float64 or mixed parameters, is a ValueError."""
    half, other = draw.shuffled(HALVES)
    kinds = [[half] * 3, [other] * 2, [half], [half, half, torch.float32], [torch.float32, other], [half, other],
             [torch.float32], [torch.float64] * 2, [torch.float64, half], [half, other, half], []]  # fmt: skip
    kinds = draw.shuffled(kinds)
    models = [[draw.normal(3).to(dtype) for dtype in kind] for kind in kinds]
    seen = observe(scenarios.made, models=models)
    for one, model, kind in zip(seen, models, kinds, strict=True):
        what = f"a model of {', '.join(str(dtype).removeprefix('torch.') for dtype in kind) or 'no parameters'}"
        if len(set(kind)) == 1 and kind[0] in HALVES:
            expect(one, f"{what}: its first master").equals(model[0].float(), "this is a 16-bit model")
        else:
            expect_error(one, what, "ValueError", "all float16, or all bfloat16, or refuse it")


def test_small_updates_add_up_in_the_masters(observe, draw):
    """Updates far below the spacing of the model's dtype add up in the masters, and reach the model in time."""
    for dtype, share in zip(draw.shuffled(HALVES), (0.02, 0.04), strict=True):
        weight = draw.away_from_zero(6, low=1.1, high=1.9).to(dtype)
        gradient = draw.away_from_zero(6, low=1.0, high=2.0).to(dtype)
        lr, count = share * torch.finfo(dtype).eps, draw.integer(50, 60)
        seen = observe(
            scenarios.steps, dtype=dtype, weights=[weight], gradients=[[gradient]] * count, settings={"lr": lr}
        )
        expected = sgd(weight, [gradient] * count, lr=lr)[-1]
        rounding = Tolerance("float32 rounding over 60 steps", atol=1e-5)
        why = "an update below half the spacing is lost in 16 bits: step the float32 masters, never make them again"
        master = seen["masters"][-1][0]
        expect(master, f"master after {count} steps").close_to(expected.float(), rounding, why)
        expect_rounded(seen["weights"][-1][0], master.to(dtype), f"{dtype} weight after {count} steps")


def test_model_gets_the_masters_rounded(observe, draw):
    """Each step moves the masters along the true gradients, and the model holds them rounded."""
    for dtype in draw.shuffled(HALVES):
        weights = drawn_halves(draw, SHAPES, dtype)
        gradients = [drawn_halves(draw, SHAPES, dtype) for _ in range(8)]
        settings = {"lr": draw.number(0.1, 0.5), "momentum": 0.5, "weight_decay": 0.25}
        seen = observe(scenarios.steps, dtype=dtype, weights=weights, gradients=gradients, settings=settings)
        why = "the optimizer that make_optimizer gave steps the masters, with the gradients of the model"
        expect_steps(seen, dtype, followed(weights, gradients, settings), why)
        expect(seen["stepped"], "returned").equals([True] * 8, "True says that the masters were stepped")


def test_gradients_are_divided_in_float32(observe, draw):
    """Gradients are divided by the scale in float32: what 16 bits cannot hold reaches the masters."""
    for dtype in draw.shuffled(HALVES):
        size, lr = (2.0**-14, 2.0**20) if dtype == torch.float16 else (1.0, 1.0)
        scales = [2.0**15 if dtype == torch.float16 else draw.number(2.0, 9.0) for _ in range(3)]
        scales = [*draw.shuffled([*scales, None]), None]  # None: the step gets no scale
        weights = [torch.zeros(4, dtype=dtype)]
        gradients = [[(draw.away_from_zero(4, low=1.0, high=1.9) * size).to(dtype)] for _ in scales]
        seen = observe(
            scenarios.steps, dtype=dtype, weights=weights, gradients=gradients, settings={"lr": lr}, scales=scales
        )
        why = "2^-14 divided by 2^15 is 0 in float16, and rounded in bfloat16: first to float32, then divide"
        moved = [torch.zeros(4, dtype=torch.float64)]
        for step, ((gradient,), scale) in enumerate(zip(gradients, scales, strict=True)):
            moved = [moved[0] - lr * gradient.double() / (scale or 1.0)]
            expect(seen["masters"][step][0], f"{dtype}: master after step {step}").close_to(
                moved[0].float(), Tolerance("a few float32 roundings", rtol=1e-6, atol=4e-6 * lr * size), why
            )


def test_overflow_leaves_masters_model_and_optimizer(observe, draw):
    """With an inf or nan in any gradient nothing is stepped: masters, model and optimizer stay; it returns False."""
    for dtype, limit in zip(draw.shuffled(HALVES), draw.shuffled((None, 100.0)), strict=True):
        weights, pattern = drawn_halves(draw, SHAPES, dtype), draw.pattern(10, share=0.5)
        gradients, scales = [drawn_halves(draw, SHAPES, dtype) for _ in pattern], [1.0] * 10
        spoil(draw, gradients, pattern)
        for step in draw.shuffled([step for step, bad in enumerate(pattern) if not bad])[:2]:
            # These are finite until they are divided; one of them is enough.
            pattern[step], scales[step] = True, 2.0**-120
            gradients[step] = [0 * gradient for gradient in gradients[step]]
            draw.choice(gradients[step]).view(-1)[-1] = draw.choice((-1, 1)) * draw.number(1e4, 6e4)
        settings = {"lr": 0.5, "momentum": 0.5}
        seen = observe(
            scenarios.steps,
            dtype=dtype,
            weights=weights,
            gradients=gradients,
            settings=settings,
            scales=scales,
            limits=[limit] * len(pattern),
        )
        moves = [[None] * 3 if bad else step for step, bad in zip(gradients, pattern, strict=True)]
        why = (
            "divide, then look at every gradient, then change anything; one inf or nan, and the optimizer is not called"
        )
        expect_steps(seen, dtype, followed(weights, moves, settings), why)
        expect(seen["stepped"], "returned").equals([not bad for bad in pattern], "False says that nothing was stepped")


def test_clipping_limits_the_true_norm_of_all_masters(observe, draw):
    """max_grad_norm limits the 2-norm of all unscaled gradients together; a smaller norm is left alone."""
    for dtype in draw.shuffled(HALVES):
        weights = drawn_halves(draw, SHAPES, dtype)
        scales = [2.0 ** draw.integer(1, 6) for _ in range(8)]
        gradients = [[g * scale for g in drawn_halves(draw, SHAPES, dtype)] for scale in scales]
        norms = [torch.cat([g.double().view(-1) for g in step]).norm().item() for step in gradients]
        below = draw.pattern(8, share=0.5)
        limits = [
            norm / scale * (draw.number(0.2, 0.8) if is_below else draw.number(1.1, 1.6))
            for norm, scale, is_below in zip(norms, scales, below, strict=True)
        ]
        seen = observe(
            scenarios.steps,
            dtype=dtype,
            weights=weights,
            gradients=gradients,
            settings={"lr": 1.0},
            scales=scales,
            limits=limits,
        )
        why = (
            "unscale first, then measure all gradients together, then shorten them all by one factor if they are longer"
        )
        moves = [clipped(*step) for step in zip(gradients, scales, limits, strict=True)]
        expect_steps(seen, dtype, followed(weights, moves, {"lr": 1.0}), why)


def test_limit_of_zero_clips_to_zero(observe, draw):
    """A max_grad_norm of 0.0 is a limit: only weight decay is left of a step."""
    dtype = draw.choice(HALVES)
    weights, none = drawn_halves(draw, SHAPES, dtype), [*draw.pattern(6, share=0.5), False, True]
    gradients = [drawn_halves(draw, SHAPES, dtype) for _ in none]
    settings = {"lr": 0.5, "weight_decay": 0.25}
    seen = observe(
        scenarios.steps,
        dtype=dtype,
        weights=weights,
        gradients=gradients,
        settings=settings,
        limits=[None if unlimited else 0.0 for unlimited in none],
    )
    moves = [step if unlimited else [0 * g for g in step] for step, unlimited in zip(gradients, none, strict=True)]
    expect_steps(seen, dtype, followed(weights, moves, settings), "`if max_grad_norm:` takes 0.0 for no limit")


def test_large_finite_gradients_are_no_overflow(observe, draw):
    """Finite gradients are clipped and stepped with, even if float16 cannot hold their norm, or float32 their sum."""
    dtype, weights = torch.float16, drawn_halves(draw, [(3,), (3,)], torch.float16)
    gradients = [[draw.away_from_zero(3, low=4e4, high=6e4).to(dtype) for _ in range(2)] for _ in range(5)]
    scales, limits = [float(draw.choice((1, 2))) for _ in gradients], [draw.number(0.5, 2.0) for _ in gradients]
    seen = observe(
        scenarios.steps,
        dtype=dtype,
        weights=weights,
        gradients=gradients,
        settings={"lr": 1.0},
        scales=scales,
        limits=limits,
    )
    why = "the norm of these is above 65504: inf in float16, and no overflow in float32"
    moves = [clipped(*step) for step in zip(gradients, scales, limits, strict=True)]
    expect_steps(seen, dtype, followed(weights, moves, {"lr": 1.0}), why)
    expect(seen["stepped"], "returned").equals([True] * 5, why)

    dtype, settings = torch.bfloat16, {"lr": 2.0**-128}
    weights, signs = drawn_halves(draw, [(3,), (3,)], dtype), draw.pattern(5, share=0.5)
    gradients = [
        [(draw.away_from_zero(3, low=2.5, high=3.2).abs() * (1e38 if up else -1e38)).to(dtype) for _ in range(2)]
        for up in signs
    ]
    seen = observe(scenarios.steps, dtype=dtype, weights=weights, gradients=gradients, settings=settings)
    why = "only an inf or nan entry is an overflow: the sum and the norm of these are inf in float32, and they are not"
    expect_steps(seen, dtype, followed(weights, gradients, settings), why)
    expect(seen["stepped"], "returned").equals([True] * 5, why)


def test_parameters_without_gradient_are_not_stepped(observe, draw):
    """A parameter without a gradient, frozen or not used in this step, is not stepped and counts in no norm."""
    dtype, shapes, settings = draw.choice(HALVES), [(2,)] * 5, {"lr": 0.5, "momentum": 0.5, "weight_decay": 0.25}
    weights, frozen = drawn_halves(draw, shapes, dtype), [False, *draw.pattern(4, share=0.5)]
    gradients: list = [[None if is_frozen else g for g, is_frozen in zip(step, frozen, strict=True)]
                       for step in (drawn_halves(draw, shapes, dtype) for _ in range(9))]  # fmt: skip
    for step in gradients[1:]:
        unused = draw.pattern(5, share=0.5)
        step[:] = [None if is_unused else g for g, is_unused in zip(step, unused, strict=True)]
        step[0] = draw.normal(2).to(dtype)
    limits = [draw.number(0.3, 0.9) for _ in gradients]
    seen = observe(
        scenarios.steps,
        dtype=dtype,
        weights=weights,
        gradients=gradients,
        settings=settings,
        limits=limits,
        frozen=frozen,
    )
    moves = [clipped(step, 1.0, limit) for step, limit in zip(gradients, limits, strict=True)]
    why = "no gradient now means no step now: a master must not keep the gradient of the step before, nor get zeros"
    expect_steps(seen, dtype, followed(weights, moves, settings), why)


def test_parameters_stay_in_their_memory(observe, draw):
    """step and load_state_dict write into the model's parameters: the objects and their memory stay the same."""
    dtype = draw.choice(HALVES)
    weights = drawn_halves(draw, SHAPES, dtype)
    gradients = [drawn_halves(draw, SHAPES, dtype) for _ in range(3)]
    seen = observe(scenarios.steps_in_place, dtype=dtype, weights=weights, gradients=gradients)
    after = [master.to(dtype).view(-1) for master in followed(weights, gradients, {"lr": 1.0})[-1]]
    why = "copy into the parameters: `p.data = ...` moves them, and views, hooks and DDP buckets keep the old memory"
    once = Tolerance("the master is rounded once, from a sum of a few float32 roundings", ulps=1.01, atol=1e-6)
    for name, expected, tolerance in (
        ("stepped", after, once),
        ("loaded", [weight.view(-1) for weight in weights], EXACT),
    ):
        expect(seen[name]["same"], f"{name}: each parameter is the object it was").equals([True] * 3, why)
        for index, view in enumerate(expected):
            expect(seen[name]["views"][index], f"{name}: a view of parameter {index}").close_to(view, tolerance, why)


def test_tied_weights_have_one_master(observe, draw):
    """A parameter with two names has one master, is stepped once, and counts once in the norm."""
    dtype, limit = draw.choice(HALVES), draw.number(0.5, 1.0)
    shared, own = drawn_halves(draw, [(4,), (3,)], dtype)
    gradients = [[g + g.sign() for g in drawn_halves(draw, [(4,), (3,)], dtype)] for _ in range(4)]
    seen = observe(
        scenarios.steps_of_tied, dtype=dtype, shared=shared, own=own, gradients=gradients, limit=limit
    )  # fmt: skip
    moves = [clipped(step, 1.0, limit) for step in gradients]
    why = "model.parameters() gives a tied parameter once; going through the modules or names gives it twice"
    # The order of model.parameters(): a module's own parameter first, then those of its children.
    for step, (tied, alone) in enumerate(followed([shared, own], moves, {"lr": 1.0})):
        expect(len(seen["masters"][step]) if isinstance(seen["masters"], list) else None, "masters").equals(2, why)
        for index, expected in enumerate((alone, tied)):
            expect(seen["masters"][step][index], f"master {index} after step {step}").close_to(
                expected.float(), MASTER, why
            )
    expect(seen["tied"], "the parameter is still tied").equals(True, why)


def test_zero_grad_removes_the_models_gradients(observe, draw):
    """zero_grad leaves the model without gradients, also after a step that was not made."""
    dtype, pattern, settings = draw.choice(HALVES), draw.pattern(6, share=0.5), {"lr": 1.0}
    weights = drawn_halves(draw, SHAPES, dtype)
    gradients = [drawn_halves(draw, SHAPES, dtype) for _ in pattern]
    spoil(draw, gradients, pattern)
    frozen = [draw.pattern(3) for _ in pattern]
    seen = observe(scenarios.zeroed, dtype=dtype, weights=weights, gradients=gradients, frozen=frozen)
    moves = [[None] * 3 if bad else step for step, bad in zip(gradients, pattern, strict=True)]
    once = Tolerance("the master is rounded once, from a sum of a few float32 roundings", ulps=1.01, atol=1e-6)
    why = "the gradients are the model's: the optimizer knows those of the masters only"
    for step, expected in enumerate(followed(weights, moves, settings)):
        expect(seen[step][:3], f"gradients after step {step} and zero_grad").equals([None] * 3, why)
        for index, master in enumerate(expected):
            expect(seen[step][3 + index], f"parameter {index} after step {step} and zero_grad").close_to(
                master.to(dtype), once, "zero_grad touches gradients only"
            )


def test_impossible_scales_are_refused(observe, draw):
    """A scale that is not a positive finite number is a ValueError, and changes nothing."""
    dtype, settings = draw.choice(HALVES), {"lr": 0.5, "momentum": 0.5}
    bad = [0.0, -draw.number(1.0, 9.0), INF, -INF, NAN]
    scales = [1.0, *draw.shuffled([*bad, *(2.0 ** draw.integer(-4, 4) for _ in bad)])]
    weights = drawn_halves(draw, SHAPES, dtype)
    gradients = [drawn_halves(draw, SHAPES, dtype) for _ in scales]
    seen = observe(scenarios.steps, dtype=dtype, weights=weights, gradients=gradients, settings=settings, scales=scales)
    moves = [
        [None] * 3 if scale in bad else [g.double() / scale for g in step]
        for step, scale in zip(gradients, scales, strict=True)
    ]
    for step, scale in enumerate(scales):
        found = seen["stepped"][step]
        if scale in bad:
            expect_error(found, f"step with scale={scale}", "ValueError", "such a scale is a mistake")
        else:
            expect(found, f"step with scale={scale}").equals(True, "this scale is right")
    expect_steps(seen, dtype, followed(weights, moves, settings), "what is refused changes nothing")


def test_saved_masters_go_on(observe, draw):
    """MasterWeights of another model that get this one's state go on as this one would have."""
    for dtype, fresh in zip(draw.shuffled(HALVES), (True, False), strict=True):
        weights, others = (drawn_halves(draw, SHAPES, dtype) for _ in range(2))
        gradients = [drawn_halves(draw, SHAPES, dtype) for _ in range(7)]
        settings = {"lr": 0.3, "momentum": 0.5, "weight_decay": 0.25}
        cut = draw.integer(2, 4)
        seen = observe(
            scenarios.resumed,
            dtype=dtype,
            weights=weights,
            others=others,
            gradients=gradients,
            cut=cut,
            settings=settings,
            fresh=fresh,
        )
        masters = followed(weights, gradients, settings)[cut - 1 :]
        why = (
            "a state holds the masters, not the rounded weights, and the optimizer's momentum; loading fills all three"
        )
        found = {name: [one[name] for one in seen["steps"]] for name in ("masters", "weights")}
        expect_steps(found, dtype, masters, why)


def test_state_of_another_model_is_refused(observe, draw):
    """A state of another kind, or of other shapes or parameter groups, is a ValueError and changes nothing."""
    dtype, settings = draw.choice(HALVES), {"lr": 0.3, "momentum": 0.5}
    weights = drawn_halves(draw, [(2, 3), (4,)], dtype)
    shapes = [[(1, 3), (1,)], [(3, 2), (4,)], [(2, 3), (4,), (1,)], [(2, 3)], [(4,), (2, 3)], [(2, 3), (2, 2)]]
    others = [drawn_halves(draw, of_model, dtype) for of_model in shapes]
    groups = [[2], [2, 0], [1]]  # the optimizer has a group for each of the two masters
    states = draw.shuffled(["model", "scaler", "nothing", *range(len(others)), *groups])
    gradients = [drawn_halves(draw, [(2, 3), (4,)], dtype) for _ in range(len(states) + 1)]
    seen = observe(
        scenarios.refused,
        dtype=dtype,
        weights=weights,
        others=others,
        gradients=gradients,
        states=states,
        settings=settings,
    )
    for error, state in zip(seen["raised"], states, strict=True):
        if isinstance(state, str):
            what = f"that of a {state}"
        elif isinstance(state, list):
            what = f"that of an optimizer with groups of {state} parameters, not [1, 1]"
        else:
            what = f"that of a model with shapes {shapes[state]}"
        why = "compare all shapes (copying would stretch or cut), and let the optimizer refuse its part"
        expect_error(error, f"a state that is {what}", "ValueError", why)
    why = "what is refused changes nothing: check everything before anything is loaded, the optimizer too"
    expect_steps(seen, dtype, followed(weights, gradients, settings), why)
