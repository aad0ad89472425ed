"""Step 1, loss scalers: one behaviour a test, judged by the values that a scenario brought back."""

import itertools

import torch

from labkit.judge.expect import Tolerance, expect, expect_error
from references.build_amp.common import INF, NAN, scales_after, sgd, spoil
from references.build_amp.step_1 import (
    drawn_gradients,
    drawn_weights,
    interrupted,
    runs,
)
from scenarios.build_amp import step_1 as scenarios

KINDS = ("static", "dynamic")
EXACT = Tolerance("a power of two is exact", atol=0.0)
SCALE = Tolerance("a scale may be kept in float32: 2^-24 each time it changes", rtol=1e-5)
UNSCALED = Tolerance("reciprocal and product are each rounded to float32", rtol=1e-6)
STEPS = Tolerance("float32 rounding over a dozen steps", atol=1e-4)


def expect_scales(seen: list, scales: list[float], why: str, tolerance: Tolerance = EXACT) -> None:
    for iteration, scale in enumerate(scales):
        expect(seen[iteration], f"scale after iteration {iteration}").close_to(scale, tolerance, why)


def test_scale_multiplies_the_loss_in_float32(observe, draw):
    """scale(loss) is the float32 product of loss and scale, whatever the dtype of the loss."""
    for kind in draw.shuffled(KINDS):
        dtypes = draw.shuffled((torch.float16, torch.bfloat16, torch.float32) * 2)
        losses = [(draw.away_from_zero(1)[0] * (100 if dtype == torch.float16 else 1e6)).to(dtype) for dtype in dtypes]
        scales = [2.0 ** draw.integer(12, 40) for _ in dtypes]
        seen = observe(scenarios.scaled_losses, kind=kind, scales=scales, losses=losses)
        for one, loss, scale in zip(seen, losses, scales, strict=True):
            expect(one["scaled"], f"{kind}: scale of a loss in {loss.dtype}").close_to(
                loss.float() * scale, EXACT, "the product is float32: in float16 a loss of 100 times 2^10 is inf"
            )
            expect(one["loss"], "the loss afterwards").equals(
                loss, "scale(loss) gives another tensor: loss is reported"
            )


def test_gradients_flow_through_the_scaled_loss(observe, draw):
    """Backward of the scaled loss gives the true gradients times the scale, in float32 parameters."""
    for kind in draw.shuffled(KINDS):
        scale = 2.0 ** draw.integer(3, 14)
        gradients = [draw.away_from_zero(5).to(dtype) for dtype in (torch.float16, torch.bfloat16, torch.float32)]
        seen = observe(
            scenarios.gradients_of_scaled, kind=kind, scale=scale, weight=draw.normal(5), gradients=gradients
        )
        for found, gradient in zip(seen, gradients, strict=True):
            expect(found, f"{kind}: scaled gradient of a loss in {gradient.dtype}").close_to(
                gradient.float() * scale, EXACT, "the product has to keep the graph of the loss"
            )


def test_unscale_divides_the_gradients_of_all_groups(observe, draw):
    """unscale_ divides each gradient of each parameter group by the scale once, and passes over None."""
    for kind in draw.shuffled(KINDS):
        scale = draw.number(3.0, 3000.0)
        gradients = [None if missing else draw.away_from_zero(draw.integer(1, 4)) for missing in draw.pattern(7)]
        seen = observe(scenarios.unscaled, kind=kind, scale=scale, gradients=gradients)
        for index, gradient in enumerate(gradients):
            what, why = f"{kind}: gradient of parameter {index}", "every gradient of every group is divided once"
            if gradient is None:
                expect(seen["gradients"][index], what).equals(None, "a parameter without a gradient is passed over")
            else:
                expect(seen["gradients"][index], what).close_to(gradient / scale, UNSCALED, why)
                expect(seen["weights"][index], f"{kind}: parameter {index}").equals(0 * gradient, "nothing is stepped")


def test_unscale_works_in_place(observe, draw):
    """unscale_ changes the gradients where they are, in the buffer that they are views of."""
    for kind in draw.shuffled(KINDS):
        scale = 2.0 ** draw.integer(1, 12)
        gradients = [draw.away_from_zero(*shape) for shape in draw.shuffled([(3,), (2, 2), (1,), (2, 1, 2)])]
        seen = observe(scenarios.unscaled, kind=kind, scale=scale, gradients=gradients)
        why = "gradients may be views of one buffer (DDP's are): divide in place, assign no new tensor"
        flat = torch.cat([gradient.reshape(-1) for gradient in gradients])
        expect(seen["buffer"], f"{kind}: the memory that the gradients lie in").close_to(flat / scale, EXACT, why)
        expect(seen["same"], f"{kind}: each `grad` is the tensor it was").equals([True] * 4, why)


def test_unscale_copies_nothing_to_the_host(observe, draw):
    """unscale_ keeps what it finds on the device: it calls neither .item() nor bool() of a tensor."""
    for kind in draw.shuffled(KINDS):
        weights = drawn_weights(draw)
        pattern = draw.pattern(8, share=0.5)
        gradients = [drawn_gradients(draw) for _ in pattern]
        spoil(draw, gradients, pattern)
        seen = observe(scenarios.host_copies, kind=kind, weights=weights, gradients=gradients)
        expect(seen["copies"], f"{kind}: copies to the host in unscale_").equals(
            [0] * len(pattern), "each .item(), bool() or `if` of a tensor makes a GPU wait: combine flags as tensors"
        )
        expect(seen["stepped"], f"{kind}: returned by step").equals(
            [not bad for bad in pattern], "the flag that unscale_ kept decides in step"
        )


def test_second_unscale_is_refused(observe, draw):
    """unscale_ of an optimizer that was unscaled or stepped already is a RuntimeError and changes nothing."""
    refused(observe, draw, [("unscale_", "unscale_"), ("step", "unscale_")])


def test_second_step_is_refused(observe, draw):
    """A second step before update is a RuntimeError and changes nothing."""
    refused(observe, draw, [("step", "step")])


def refused(observe, draw, cases: list[tuple[str, str]]) -> None:
    for kind in draw.shuffled(KINDS):
        chosen = draw.shuffled([(*case, how) for case in cases for how in ("finite", "spoiled", "none")] * 2)
        scale, weight = 2.0 ** draw.integer(10, 14), draw.normal(3)
        gradients = [None if how == "none" else draw.normal(3) for _, _, how in chosen]
        spoil(draw, [[gradient] for gradient in gradients], [how == "spoiled" for _, _, how in chosen])
        calls = [case[:2] for case in chosen]
        seen = observe(scenarios.second_calls, kind=kind, cases=calls, weight=weight, gradients=gradients, scale=scale)
        for (first, second, how), one, gradient in zip(chosen, seen, gradients, strict=True):
            what = f"{kind}: {second} after {first}{', of an optimizer without gradients' if how == 'none' else ''}"
            expect_error(
                one["raised"], what, "RuntimeError", "it would use the gradients twice: refuse it until update"
            )
            for index, name in enumerate(("weight", "gradient")):
                expect(one["after"][index], f"{what}: {name}").equals(
                    one["before"][index], "what is refused changes nothing"
                )
            weight = weight - gradient if how == "finite" else weight
            expect(one["end"], f"{what}: weight at the end of the iteration").close_to(
                weight, STEPS, "the first call is right, and stays so; update makes way for the next"
            )


def expect_training(seen: dict, name: str, weights: list, moves: list, why: str, momentum: float = 0.0) -> None:
    """Weights and answers of all iterations: `moves[iteration][optimizer]` are the gradients to step with, or None."""
    for number, of_optimizer in enumerate(weights):
        steps = [of_iteration[number] for of_iteration in moves]
        for index, weight in enumerate(of_optimizer):
            expected = sgd(weight, [step and step[index] for step in steps], momentum=momentum)
            for iteration, after in enumerate(expected):
                kind = "step" if steps[iteration] else "skipped step"
                expect(
                    seen["weights"][iteration][number][index],
                    f"{name}: parameter {index} of optimizer {number} after {kind} {iteration}",
                ).close_to(after.float(), STEPS, why)
        for iteration, step in enumerate(steps):
            expect(seen["stepped"][iteration][number], f"{name}: returned by step {iteration}").equals(
                step is not None, "True says that the optimizer stepped, False that it did not"
            )


def test_step_unscales_if_nobody_has(observe, draw):
    """step unscales the gradients unless unscale_ has done it; clipping in between limits the true norm."""
    for kind in draw.shuffled(KINDS):
        weights, unscaled, limit = drawn_weights(draw), draw.pattern(8, share=0.5), draw.number(0.5, 1.5)
        gradients = [drawn_gradients(draw, norm=3.0) for _ in unscaled]
        seen = observe(
            scenarios.train,
            kind=kind,
            settings={"scale" if kind == "static" else "init_scale": 2.0 ** draw.integer(3, 12)},
            weights=[weights],
            gradients=[[step] for step in gradients],
            unscaled=unscaled,
            limit=limit,
        )
        moves = [
            [[gradient * (limit / 3.0 if clipped else 1.0) for gradient in step]]
            for step, clipped in zip(gradients, unscaled, strict=True)
        ]
        why = "the gradients are divided by the scale once: in unscale_ if the caller calls it, in step if not"
        expect_training(seen, kind, [weights], moves, why)


def test_overflow_skips_the_step(observe, draw):
    """An inf, -inf or nan anywhere in the gradients skips the step, and the optimizer's state stays as it was."""
    for kind in draw.shuffled(KINDS):
        weights, pattern = drawn_weights(draw), draw.pattern(12, share=0.5)
        gradients = [drawn_gradients(draw, norm=1.0) for _ in pattern]
        moves = [[None if bad else [one.clone() for one in step]] for step, bad in zip(gradients, pattern, strict=True)]
        spoil(draw, gradients, pattern)
        seen = observe(
            scenarios.train,
            kind=kind,
            settings={},
            weights=[weights],
            gradients=[[step] for step in gradients],
            unscaled=draw.pattern(12, share=0.5),
            momentum=0.5,
        )
        why = "one inf or nan skips this whole step, and only this: the optimizer is not called, and the next is judged"
        expect_training(seen, kind, [weights], moves, f"{why} by its own gradients", momentum=0.5)


def test_finite_gradients_of_any_size_are_stepped_with(observe, draw):
    """Finite gradients are no overflow, even if their sum, or the sum of their squares, is one."""
    for kind in draw.shuffled(KINDS):
        scale, lr = float(draw.choice((1, 2))), 2.0**-120
        gradients = []
        for _ in range(4):
            sign = draw.choice((-1.0, 1.0))
            gradients.append([sign * draw.away_from_zero(size, low=2.5, high=3.3).abs() * 1e38 for size in (4, 1, 1)])
            gradients.append([draw.away_from_zero(size, low=0.01, high=0.1) * 1e38 for size in (4, 1, 1)])
        seen = observe(scenarios.huge_steps, kind=kind, scale=scale, gradients=gradients, lr=lr)
        why = "only an inf or nan entry is an overflow: sums and norms of finite entries can be inf"
        for one, step in zip(seen["steps"], gradients, strict=True):
            expect(one["stepped"], f"{kind}: returned by step").equals(True, why)
            for index, gradient in enumerate(step):
                expect(one["weights"][index], f"{kind}: parameter {index}").close_to(
                    -gradient * (lr / scale), UNSCALED, why
                )
        expect(seen["scale"], f"{kind}: scale afterwards").close_to(scale, EXACT, why)


def test_overflow_counts_even_if_the_gradients_are_repaired(observe, draw):
    """An overflow that unscale_ found skips the step even if the caller has replaced inf and nan since."""
    for kind in draw.shuffled(KINDS):
        weights, pattern = drawn_weights(draw), draw.pattern(8, share=0.5)
        gradients = [drawn_gradients(draw, norm=1.0) for _ in pattern]
        moves = [[None if bad else [one.clone() for one in step]] for step, bad in zip(gradients, pattern, strict=True)]
        spoil(draw, gradients, pattern)
        scale = 2.0 ** draw.integer(10, 14)
        seen = observe(
            scenarios.train,
            kind=kind,
            settings={"scale" if kind == "static" else "init_scale": scale},
            weights=[weights],
            gradients=[[step] for step in gradients],
            unscaled=[True] * len(pattern),
            repaired=True,
        )
        why = "an overflow that unscale_ found counts until update, repaired gradients or not; then update's rule"
        expect_training(seen, kind, [weights], moves, why)
        expect_scales(seen["scales"], scales_after(pattern if kind == "dynamic" else [False] * 8, scale), why)


def test_optimizers_are_judged_apart(observe, draw):
    """Of several optimizers each is skipped for its own gradients; an overflow in any of them lowers the scale once."""
    for kind in draw.shuffled(KINDS):
        weights = [drawn_weights(draw) for _ in range(3)]
        order = [draw.shuffled(range(3)) for _ in range(10)]
        # An overflow of an optimizer alone, which is neither the first nor the last to be unscaled.
        between = [[number == turns[1] for number in range(3)] for turns in order[1:4]]
        patterns = [[False] * 3, *between, *(draw.pattern(3, share=0.5) for _ in range(5)), [True] * 3]
        gradients = [[drawn_gradients(draw, norm=1.0) for _ in pattern] for pattern in patterns]
        moves = [
            [None if bad else [one.clone() for one in step] for step, bad in zip(steps, pattern, strict=True)]
            for steps, pattern in zip(gradients, patterns, strict=True)
        ]
        for steps, pattern in zip(gradients, patterns, strict=True):
            spoil(draw, steps, pattern)
        scale = 2.0 ** draw.integer(20, 30)
        seen = observe(
            scenarios.train,
            kind=kind,
            settings={"scale" if kind == "static" else "init_scale": scale},
            weights=weights,
            gradients=gradients,
            order=order,
            unscaled=draw.pattern(10, share=0.5),
        )
        expect_training(seen, kind, weights, moves, "each optimizer is skipped for its own gradients only")
        if kind == "dynamic":
            why = "an iteration is one overflow if any of the optimizers has one; then update's rule"
            expect_scales(seen["scales"], scales_after([any(pattern) for pattern in patterns], scale), why)


def test_optimizer_without_gradients_has_no_overflow(observe, draw):
    """An optimizer without any gradient, or with a gradient of no elements, is stepped: nothing of it is inf or nan."""
    for kind in draw.shuffled(KINDS):
        weights, nothing = [drawn_weights(draw), [*drawn_weights(draw)[:2], torch.zeros(0)]], [None] * 3
        empty = draw.pattern(10, share=0.5)
        gradients = [
            [nothing if none else drawn_gradients(draw), [None, None, torch.zeros(0)] if none else nothing]
            for none in empty
        ]
        still = [[torch.zeros_like(weight) for weight in of_optimizer] for of_optimizer in weights]
        moves = [[still[0] if none else steps[0], still[1]] for none, steps in zip(empty, gradients, strict=True)]
        scale = 2.0 ** draw.integer(3, 12)
        settings = {"scale": scale} if kind == "static" else {"init_scale": scale, "growth_interval": 2}
        seen = observe(scenarios.train, kind=kind, settings=settings, weights=weights, gradients=gradients)
        why = "parameters without a gradient or without elements are passed over, also where there are no others"
        expect_training(seen, kind, weights, moves, why)
        if kind == "dynamic":
            expect_scales(seen["scales"], scales_after([False] * len(empty), scale, interval=2), why)


def test_static_scale_stays(observe, draw):
    """The scale of a StaticLossScaler, 2**10 by default, stays whatever happens."""
    for settings in draw.shuffled(({}, {"scale": 2.0 ** draw.integer(2, 16)})):
        weights, pattern = drawn_weights(draw), draw.pattern(8, share=0.5)
        gradients = [drawn_gradients(draw) for _ in pattern]
        moves = [[None if bad else [one.clone() for one in step]] for step, bad in zip(gradients, pattern, strict=True)]
        spoil(draw, gradients, pattern)
        seen = observe(
            scenarios.train,
            kind="static",
            settings=settings,
            weights=[weights],
            gradients=[[step] for step in gradients],
        )
        expect_scales(seen["scales"], [settings.get("scale", 1024.0)] * len(pattern), "its scale is fixed")
        expect_training(seen, "static", [weights], moves, "gradients are divided by the scale that the loss was given")


def test_dynamic_scale_grows_and_backs_off(observe, draw):
    """The scale grows after `growth_interval` good iterations in a row, and backs off at once after an overflow."""
    for whole in draw.shuffled((True, False)):
        settings = {
            "init_scale": 2.0**60 if whole else draw.number(1e15, 1e16),
            "growth_factor": float(draw.choice((2, 4, 8))) if whole else draw.number(1.3, 4.0),
            "backoff_factor": draw.choice((0.5, 0.25, 0.125)) if whole else draw.number(0.2, 0.9),
            "growth_interval": draw.integer(3, 4),
        }
        interval = settings["growth_interval"]
        overflows = [*interrupted(interval), *runs(draw, 32, bad=2, good=2 * interval + 1)]
        seen = observe(
            scenarios.schedule,
            settings=settings,
            overflows=overflows,
            calls=[
                draw.choice(("step", "unscale_") if overflow else ("step", "unscale_", "")) for overflow in overflows
            ],
            by_position=not whole,
        )
        scales = scales_after(
            overflows,
            settings["init_scale"],
            settings["growth_factor"],
            settings["backoff_factor"],
            interval,
        )
        why = "update's rule: growth after growth_interval good iterations in a row, backoff after the hysteresis"
        tolerance = EXACT if whole else SCALE
        expect_scales([one["scale"] for one in seen], scales, why, tolerance)
        for iteration, (one, scale) in enumerate(zip(seen, scales, strict=True)):
            expect(one["scaled"], f"scale(1) after iteration {iteration}").close_to(
                torch.tensor(scale), tolerance if whole else SCALE, "the new scale is used from the next loss on"
            )


def test_dynamic_weights_follow_the_true_gradients(observe, draw):
    """While the scale changes, the weights follow the true gradients: those of good iterations."""
    weights, pattern = drawn_weights(draw), runs(draw, 14, bad=2, good=4)
    gradients = [drawn_gradients(draw, norm=1.0) for _ in pattern]
    moves = [[None if bad else [one.clone() for one in step]] for step, bad in zip(gradients, pattern, strict=True)]
    spoil(draw, gradients, pattern)
    settings = {"init_scale": 2.0**30, "growth_factor": 8.0, "backoff_factor": 0.125, "growth_interval": 2}
    seen = observe(
        scenarios.train, kind="dynamic", settings=settings, weights=[weights], gradients=[[step] for step in gradients]
    )
    why = "the loss and its gradients belong to one scale: it changes in update, and nowhere else"
    expect_training(seen, "dynamic", [weights], moves, why)


def test_dynamic_defaults(observe, draw):
    """By default the scale begins at 65536, doubles after 2000 good iterations, and halves after an overflow."""
    overflows, loss = draw.integer(1, 9), draw.away_from_zero(1)[0]
    seen = observe(scenarios.long_schedule, overflows=overflows, good=2000, loss=loss)
    low = 65536.0 * 0.5**overflows
    names = ("at first", f"after {overflows} overflows", "1999 good iterations later", "2000 good iterations later")
    for found, name, scale in zip(seen, names, (65536.0, low, low, 2 * low), strict=True):
        expect(found, f"scale(loss) {name}").close_to(
            loss * scale, EXACT, "the defaults are those of torch's GradScaler, and a hysteresis of 1"
        )


def test_hysteresis_puts_up_with_overflows(observe, draw):
    """Only the overflow that uses up the hysteresis, and those after it, lower the scale; only growth refills it."""
    for hysteresis in draw.shuffled((2, 3)):
        interval, init = draw.integer(3, 4), 2.0**60
        overflows = [*interrupted(interval), *runs(draw, 40, bad=hysteresis + 1, good=interval + 1)]
        settings = {"init_scale": init, "growth_interval": interval, "hysteresis": hysteresis}
        seen = observe(scenarios.schedule, settings=settings, overflows=overflows)
        why = "every overflow takes one, and backs off if none is left; neither a good iteration nor a backoff refills"
        expect_scales(
            [one["scale"] for one in seen],
            scales_after(overflows, init, interval=interval, hysteresis=hysteresis),
            why,
        )


def test_scale_stays_above_the_floor(observe, draw):
    """The scale falls to min_scale and not below, by default to the smallest normal float32; then it grows again."""
    for floor in draw.shuffled((2.0 ** draw.integer(2, 5), draw.number(1.1, 1.9), None)):
        backoff = draw.choice((0.125, 0.25)) if floor else 2.0 ** -draw.integer(30, 40)
        init = 2.0 ** draw.integer(7, 9)
        overflows = [*[True] * draw.integer(6, 9), False, True, False, *runs(draw, 12, bad=2, good=4)]
        settings = {"init_scale": init, "backoff_factor": backoff, "growth_interval": 2}
        seen = observe(
            scenarios.schedule, settings=settings | ({"min_scale": floor} if floor else {}), overflows=overflows
        )
        scales = scales_after(overflows, init, 2.0, backoff, 2, floor=floor or 2.0**-126)
        why = f"the scale never falls below min_scale ({floor or '2**-126 for None'}), and reaches it"
        expect_scales([one["scale"] for one in seen], scales, why, SCALE)


def test_scale_stays_below_the_ceiling(observe, draw):
    """A scale that float32 cannot hold is not taken: the old one stays, and counts and hysteresis begin again."""
    for growth, hysteresis in draw.shuffled(list(itertools.product((2.0, 16.0), (1, 2)))):
        init = 2.0 ** draw.integer(118, 123)
        overflows = [False] * (20 if growth == 2.0 else 8)  # up to the ceiling
        overflows += [True] * (hysteresis - 1) + [False, False, True]  # one is left; it is refilled; one is taken
        overflows += runs(draw, 16, bad=2, good=3)
        settings = {"init_scale": init, "growth_factor": growth, "growth_interval": 2, "hysteresis": hysteresis}
        seen = observe(scenarios.schedule, settings=settings, overflows=overflows)
        scales = scales_after(overflows, init, growth, interval=2, hysteresis=hysteresis)
        why = "a scale that would be inf in float32 is not taken; everything else is as after any growth"
        expect_scales([one["scale"] for one in seen], scales, why)


GOOD = {
    "growth_factor": (1.001, 1e6),
    "backoff_factor": (0.001, 0.999),
    "growth_interval": (1,),
    "hysteresis": (1,),
    "min_scale": (2.0**-126, 2.0, None),
}
BAD = {
    "growth_factor": (1.0, 0.5, 0.0, -2.0, INF, NAN),
    "backoff_factor": (0.0, 1.0, 1.5, -0.5, INF, NAN),
    "growth_interval": (0, -3),
    "hysteresis": (0, -1),
    "min_scale": (0.0, -1.0, INF, NAN),
}


def test_bad_settings_are_refused(observe, draw):
    """A setting that makes no sense is a ValueError; one at the edge of what does is taken."""
    for kind in draw.shuffled(KINDS):
        name = "scale" if kind == "static" else "init_scale"
        cases = [({name: value}, True) for value in (0.0, -draw.number(1.0, 9.0), INF, -INF, NAN)]
        sizes = (1.0, draw.number(0.001, 0.9), *(draw.number(1.0, 1e6) for _ in range(5)))
        cases += [({name: size}, False) for size in sizes]
        if kind == "dynamic":
            for settings, bad in ((GOOD, False), (BAD, True)):
                for other, values in settings.items():
                    cases += [({name: draw.number(2.0, 1e6), other: value}, bad) for value in values]
        cases = draw.shuffled(cases)
        seen = observe(scenarios.constructed, kind=kind, settings=[settings for settings, _ in cases])
        for one, (settings, bad) in zip(seen, cases, strict=True):
            what = f"{kind} with {', '.join(f'{key}={value}' for key, value in settings.items())}"
            if bad:
                expect_error(one, what, "ValueError", "a setting that makes no sense is refused at once")
            else:
                expect(one, f"{what}: scale").close_to(settings[name], SCALE, "this is allowed")


def test_saved_state_goes_on(observe, draw):
    """A scaler that gets the state of another goes on as if nothing had happened."""
    # After 2 iterations the tracker matters most, after 3 that the hysteresis is full, after 4 that it is not.
    overflows = [False, False, False, True, True, *runs(draw, 20, bad=2, good=6)]
    for kind in draw.shuffled(KINDS):
        init = draw.number(1e12, 1e15)
        settings = {"scale": init} if kind == "static" else {"init_scale": init, "growth_interval": 3, "hysteresis": 2}
        scales = [init] * 26
        if kind == "dynamic":
            scales[1:] = scales_after(overflows, init, interval=3, hysteresis=2)
        cuts = [2, 3, 4, *sorted(draw.shuffled(range(5, 25))[:6])]
        others = {"scale": draw.number(1.0, 9.0)} if kind == "static" else settings
        seen = observe(scenarios.resumed, kind=kind, settings=settings, others=others, overflows=overflows, cuts=cuts)
        why = "a state holds, as plain numbers of its own, all that update changes: scale, tracker and hysteresis"
        for cut, found in zip(cuts, seen, strict=True):
            for iteration, scale in enumerate(scales[cut:]):
                expect(
                    found[iteration],
                    f"{kind}: scale {iteration} iterations after a state from iteration {cut} was loaded",
                ).close_to(scale, SCALE, why)


def test_state_of_another_kind_is_refused(observe, draw):
    """The state of another kind of scaler, or one with an impossible scale, is a ValueError and changes nothing."""
    for kind in draw.shuffled(KINDS):
        states = draw.shuffled(["other class", {}, {"junk": 1.0}, 0.0, -draw.number(1.0, 9.0), INF, NAN] * 2)
        init = 2.0 ** draw.integer(30, 40)
        # The tracker brings the scale to grow, then two overflows in a row use up the hysteresis.
        overflows = [False, False, False, True, True, *runs(draw, len(states) - 5, bad=2, good=3)]
        settings = {"scale": init} if kind == "static" else {"init_scale": init, "growth_interval": 3, "hysteresis": 2}
        seen = observe(scenarios.loaded, kind=kind, settings=settings, overflows=overflows, states=states)
        for error, state in zip(seen["raised"], states, strict=True):
            what = f"{kind}: a state with {state} for each number" if isinstance(state, float) else f"{kind}: {state}"
            expect_error(error, what, "ValueError", "a state that does not fit is refused")
        scales = [init] * len(states)
        if kind == "dynamic":
            scales = scales_after(overflows, init, interval=3, hysteresis=2)
        expect_scales(seen["scales"], scales, "what is refused changes nothing: scale, tracker and hysteresis stay")
