"""Step 2, loss scaling: one behaviour a test, judged by the values that a scenario brought back."""

import torch
from torch import Tensor

from labkit.judge.expect import Tolerance, expect
from labkit.observe.values import Raised
from references.mixed_precision import (
    INF,
    NAN,
    drawn_scale,
    follow,
    normal_gradients,
    normal_weights,
    overflowing,
    scales_after,
)
from scenarios.mixed_precision import step_2 as scenarios
from suites.mixed_precision.common import EXACT, FLOAT32, expect_value_error


def test_scaler_takes_every_setting(observe, draw):
    """init_scale, growth_factor, backoff_factor and growth_interval reach the scaler."""
    settings = {
        "init_scale": draw.number(100.0, 1000.0),
        "growth_factor": draw.number(1.5, 4.0),
        "backoff_factor": draw.number(0.1, 0.9),
        "growth_interval": draw.integer(3, 900),
    }
    loss = draw.away_from_zero(1)
    seen, again = observe(scenarios.scalers, settings=[settings, settings], loss=loss)
    off = None if seen["state"] else "the scaler is off: GradScaler's own default device is CUDA; pass `device`"
    for name, value in settings.items():
        key = "scale" if name == "init_scale" else name
        expect(seen["state"].get(key), f"state_dict()[{key!r}]").close_to(
            value, FLOAT32, why=off or f"{name} did not reach the GradScaler: pass its settings by keyword"
        )
    expect(seen["scaled"], "scale(loss)").close_to(
        loss * settings["init_scale"], FLOAT32, "the scaler is off, or has another scale"
    )
    expect(again["scaled"], "scale(loss) of a second scaler").close_to(
        loss * settings["init_scale"], FLOAT32, "every call makes a scaler of its own"
    )


def test_scaler_is_made_for_the_device(observe, draw):
    """The scaler is made for the device that was asked for."""
    devices, loss, scale = draw.shuffled(["cpu", "cuda"] * 3), draw.away_from_zero(1), draw.number(100.0, 1000.0)
    seen = observe(scenarios.scalers_on, devices=devices, loss=loss, init_scale=scale)
    for device, scaled in zip(devices, seen, strict=True):
        on = device == "cpu" or torch.cuda.is_available()
        why = "`device` did not reach the GradScaler (one for a device that is not there scales nothing)"
        expect(scaled, f"scale(loss) with device={device!r}").close_to(loss * scale if on else loss, FLOAT32, why)


def test_scaler_works_here_without_arguments(observe, draw):
    """Without arguments the scaler is on, with PyTorch's default settings."""
    loss = draw.away_from_zero(1)
    (seen,) = observe(scenarios.scalers, settings=[{}], loss=loss)
    expected = {
        "scale": 65536.0,
        "growth_factor": 2.0,
        "backoff_factor": 0.5,
        "growth_interval": 2000,
        "_growth_tracker": 0,
    }
    why = "the defaults are PyTorch's; device=None must find the device of this machine, or the scaler is silently off"
    expect(seen["scaled"], "scale(loss)").close_to(loss * 65536.0, FLOAT32, why)
    expect(seen["state"], "state_dict()").equals(expected, why)


def test_scaler_is_off_when_asked(observe, draw):
    """With enabled=False the scaler passes a loss through unscaled."""
    enabled, loss = draw.pattern(8, share=0.5), draw.away_from_zero(1)
    settings = [{"init_scale": 2.0 ** (index + 3), "enabled": on} for index, on in enumerate(enabled)]
    seen = observe(scenarios.scalers, settings=settings, loss=loss)
    for index, on in enumerate(enabled):
        expect(seen[index]["scaled"], f"scale(loss) with enabled={on}").close_to(
            loss * 2.0 ** (index + 3) if on else loss, FLOAT32, why="`enabled` did not reach the GradScaler"
        )


def expect_weights(seen: list, weights: list[Tensor], gradients: list, why: str, factor: float = 1.0) -> None:
    """The weights after one SGD step with lr 1 along `factor` x gradients (None: no movement)."""
    for index, (weight, gradient) in enumerate(zip(weights, gradients, strict=True)):
        moved = torch.zeros_like(weight) if gradient is None else factor * gradient
        tolerance = Tolerance("float32 rounding of weight and step", atol=1e-5 * (1 + moved.abs().max().item()))
        expect(seen[index], f"parameter {index} after the step").close_to(weight - moved, tolerance, why)


def test_step_follows_the_true_gradient(observe, draw):
    """The optimizer makes one step along the unscaled gradient."""
    weights, gradients = normal_weights(draw), normal_gradients(draw, norm=3.0)
    scaler = {"init_scale": drawn_scale(draw, 300, 3000)}
    seen = observe(scenarios.backward_steps, weights=weights, gradients=[gradients], scaler=scaler)
    why = "scale the loss once, unscale the gradients once, and let the optimizer step once"
    expect_weights(seen["weights"][0], weights, gradients, why)
    expect(seen["stepped"], "returned").equals([True], "True says that the optimizer stepped")


def test_loss_is_scaled_before_backward(observe, draw):
    """Gradients too small for float16 arrive, because the loss is scaled first."""
    gradient = draw.away_from_zero(6, low=1.0, high=4.0) * 2.0**-30
    seen = observe(scenarios.backward_through_half, gradient=gradient, init_scale=2.0**20)
    expect(seen["moved"], "what the weight moved by").close_to(
        gradient,
        Tolerance("the scaled gradient passes through float16: 2^-11", rtol=2**-10),
        why="gradients this small are zeros in float16 unless the loss is multiplied by the scale before backward()",
    )


def test_clipping_limits_the_true_norm(observe, draw):
    """max_grad_norm limits the 2-norm of all unscaled gradients together."""
    weights, gradients = normal_weights(draw), normal_gradients(draw, norm=5.0)
    limit, scaler = draw.number(0.5, 2.0), {"init_scale": drawn_scale(draw, 300, 3000)}
    seen = observe(scenarios.backward_steps, weights=weights, gradients=[gradients], scaler=scaler, max_grad_norm=limit)
    why = "the limit is on the 2-norm of the unscaled gradients of all parameters together: unscale first, then clip"
    expect_weights(seen["weights"][0], weights, gradients, why, factor=limit / 5.0)


def test_clipping_spares_gradients_below_the_limit(observe, draw):
    """Gradients whose norm is below the limit are left as they are, zeros too."""
    weights, gradients = normal_weights(draw), normal_gradients(draw, norm=5.0)
    limit, scaler = draw.number(5.5, 6.5), {"init_scale": drawn_scale(draw, 300, 3000)}
    seen = observe(scenarios.backward_steps, weights=weights, gradients=[gradients], scaler=scaler, max_grad_norm=limit)
    why = "the gradients' 2-norm is below the limit, so they must be left alone (measured unscaled, not value by value)"
    expect_weights(seen["weights"][0], weights, gradients, why)
    seen = observe(
        scenarios.backward_steps,
        weights=weights,
        gradients=[[torch.zeros_like(weight) for weight in weights]],
        scaler=scaler,
        max_grad_norm=limit,
        optimizer="decay",
    )
    why = (
        "zeros have the norm 0, which is finite and below the limit: do not divide by it, and step (with weight decay)"
    )
    expect_weights(seen["weights"][0], weights, weights, why, factor=0.25)
    expect(seen["stepped"], "returned for gradients of zero").equals([True], why)


def test_limit_of_zero_is_a_limit(observe, draw):
    """A limit of 0.0 clips every gradient to zero, and leaves gradients of zero as they are."""
    weights, gradients = normal_weights(draw), normal_gradients(draw, norm=5.0)
    steps = draw.shuffled([gradients, [torch.zeros_like(gradient) for gradient in gradients]])
    seen = observe(
        scenarios.backward_steps,
        weights=weights,
        gradients=steps,
        scaler={"init_scale": 1024.0},
        max_grad_norm=0.0,
        optimizer="decay",
    )
    why = "a limit of 0.0 leaves weight decay alone to act; `if max_grad_norm:` takes it for no limit, 0 / 0 is nan"
    for after in seen["weights"]:
        expect_weights(after, weights, weights, why, factor=0.25)
        weights = [0.75 * weight for weight in weights]


def expect_history(
    seen: dict,
    weights: list[Tensor],
    pattern: list[bool],
    gradients: list,
    why: str,
    factor: float = 1.0,
    off: str = "",
) -> None:
    """Weights and returned values of every step, where `pattern` says which steps have an inf or nan gradient.

    `off` is added to what a failure names.
    """
    tolerance = Tolerance("float32 rounding over a dozen steps", atol=1e-4)
    for step, expected in enumerate(follow(weights, pattern, gradients, factor)):
        kind = "skipped step" if pattern[step] else "step"
        for index, weight in enumerate(expected):
            expect(seen["weights"][step][index], f"parameter {index} after {kind} {step}{off}").close_to(
                weight, tolerance, why
            )
    expect(seen["stepped"], f"returned{off}").equals([not bad for bad in pattern], why)


def scaler_off(scaler: dict) -> str:
    return "" if scaler.get("enabled", True) else ", scaler off"


def test_overflow_skips_the_step(observe, draw):
    """One inf or nan in any gradient skips the step, and False is returned."""
    weights = normal_weights(draw)
    pattern, gradients = overflowing(draw, steps=12)
    seen = observe(scenarios.backward_steps, weights=weights, gradients=gradients, scaler={"init_scale": 1024.0})
    why = "one inf or nan in any gradient skips the whole step; it returns True if the optimizer stepped"
    expect_history(seen, weights, pattern, gradients, why)


def test_scale_backs_off_and_grows(observe, draw):
    """The scale backs off at every skip and grows after good steps in a row."""
    for size in draw.shuffled((1.0, 1024.0)):  # below and above PyTorch's first scale
        weights = normal_weights(draw)
        pattern, gradients = overflowing(draw, steps=12, good=4)
        growth, backoff, interval = draw.number(1.5, 3.0), draw.number(0.2, 0.7), draw.integer(2, 3)
        scaler = {
            "init_scale": drawn_scale(draw, 2000, 4000) * size,
            "growth_factor": growth,
            "backoff_factor": backoff,
            "growth_interval": interval,
        }
        seen = observe(scenarios.backward_steps, weights=weights, gradients=gradients, scaler=scaler)
        for step, scale in enumerate(scales_after(pattern, scaler["init_scale"], growth, backoff, interval)):
            expect(seen["scales"][step], f"loss scale after step {step}").close_to(
                scale, FLOAT32, why="update() belongs at the end of every step, skipped ones too, exactly once"
            )
        expect_history(seen, weights, pattern, gradients, "the gradients decide on a skip, not the scale")


def test_gradients_decide_on_a_skip(observe, draw):
    """Gradients decide whether a step is skipped, whatever the loss is."""
    weights = normal_weights(draw)
    pattern, gradients = overflowing(draw, steps=12)
    losses = [draw.choice((1.0, INF, NAN)) for _ in pattern]
    losses[pattern.index(False)] = draw.choice((INF, NAN))
    for scaler in draw.shuffled(({"init_scale": 64.0}, {"enabled": False})):
        seen = observe(scenarios.backward_steps, weights=weights, gradients=gradients, losses=losses, scaler=scaler)
        why = "a finite loss can have an infinite gradient, and the other way round: look at the gradients"
        expect_history(seen, weights, pattern, gradients, why, off=scaler_off(scaler))


def test_large_gradients_are_no_overflow(observe, draw):
    """Large finite gradients are clipped and stepped with."""
    weights, size = normal_weights(draw), 2.0 ** draw.integer(30, 40)
    gradients = normal_gradients(draw, norm=size)
    limit = draw.number(0.5, 2.0)
    scaler = {"init_scale": 2.0**16}
    seen = observe(scenarios.backward_steps, weights=weights, gradients=[gradients], scaler=scaler, max_grad_norm=limit)
    why = "gradients are float32: only inf and nan are an overflow, large finite values are clipped and stepped with"
    expect_weights(seen["weights"][0], weights, gradients, why, factor=limit / size)
    expect(seen["stepped"], "returned").equals([True], why)


def test_skip_leaves_the_optimizer_state(observe, draw):
    """A skipped step leaves the optimizer's state as it was."""
    for scaler in draw.shuffled(({"init_scale": 1024.0}, {"enabled": False})):
        weights = normal_weights(draw)
        pattern, gradients = overflowing(draw, steps=8)
        seen = observe(
            scenarios.backward_steps, weights=weights, gradients=gradients, scaler=scaler, optimizer="momentum"
        )
        velocity = None
        for step, (bad, step_gradients) in enumerate(zip(pattern, gradients, strict=True)):
            if not bad:
                velocity = [0.5 * v + g for v, g in zip(velocity or [0.0] * 3, step_gradients, strict=True)]
            for index, expected in enumerate(velocity or []):
                buffer = seen["state"][step][index].get("momentum_buffer")
                expect(buffer, f"momentum of parameter {index} after step {step}{scaler_off(scaler)}").close_to(
                    expected,
                    Tolerance("float32 rounding over a few steps", atol=1e-4),
                    why="a skipped step must not reach the optimizer at all: not by a scaler that is off, and not with "
                    "gradients set to zero",
                )


def test_clipping_survives_an_overflow(observe, draw):
    """With a limit set, a step whose norm is inf or nan is still just skipped."""
    weights, limit = normal_weights(draw), draw.number(0.5, 1.5)
    pattern, gradients = overflowing(draw, steps=10)
    seen = observe(
        scenarios.backward_steps,
        weights=weights,
        gradients=gradients,
        scaler={"init_scale": 1024.0},
        max_grad_norm=limit,
    )
    why = "an infinite norm is a step to skip, not an error and not a reason to zero the gradients"
    expect_history(seen, weights, pattern, gradients, why, factor=limit / 2.0)
    for step, scale in enumerate(scales_after(pattern, 1024.0, 2.0, 0.5, 2000)):
        expect(seen["scales"][step], f"loss scale after step {step}").close_to(
            scale, EXACT, why="a skip backs the scale off, also when clipping"
        )


def test_disabled_scaler_steps_plainly(observe, draw):
    """With a disabled scaler a step is backward, clipping and the optimizer's step."""
    weights, limit = normal_weights(draw), draw.number(0.5, 1.5)
    gradients = [normal_gradients(draw, norm=2.0) for _ in range(3)]
    why = "with a disabled scaler: plain backward, clip if asked, step"
    for clip in (None, limit):
        seen = observe(
            scenarios.backward_steps,
            weights=weights,
            gradients=gradients,
            scaler={"enabled": False},
            max_grad_norm=clip,
        )
        expect_history(seen, weights, [False] * 3, gradients, why, factor=1.0 if clip is None else limit / 2.0)


def test_disabled_scaler_keeps_nan_from_the_weights(observe, draw):
    """With a disabled scaler an inf or nan gradient still skips the step."""
    weights, limit = normal_weights(draw), draw.number(0.5, 1.5)
    pattern, gradients = overflowing(draw, steps=10)
    why = "a disabled scaler checks nothing (it keeps no found_inf): look at the gradients yourself before the step"
    for clip in (None, limit):
        seen = observe(
            scenarios.backward_steps,
            weights=weights,
            gradients=gradients,
            scaler={"enabled": False},
            max_grad_norm=clip,
        )
        expect_history(seen, weights, pattern, gradients, why, factor=1.0 if clip is None else limit / 2.0)


def test_frozen_parameters_are_passed_over(observe, draw):
    """A frozen parameter stays as it is and counts in no norm."""
    weights, norm = [*normal_weights(draw), draw.normal(3)], 4.0
    frozen = draw.integer(0, 3)
    flat = draw.vector(14 - len(weights[frozen].view(-1)), norm)
    used = iter(flat.split([weight.numel() for index, weight in enumerate(weights) if index != frozen]))
    gradients = [None if i == frozen else next(used).reshape(weight.shape) for i, weight in enumerate(weights)]
    for limit in (None, 1.0):
        seen = observe(
            scenarios.backward_steps,
            weights=weights,
            gradients=[gradients],
            scaler={"init_scale": 512.0},
            max_grad_norm=limit,
        )
        why = "a frozen parameter takes no part in the step"
        if limit is not None:
            why = "clip the unscaled gradients of the others by their norm; a frozen parameter has none"
        expect_weights(seen["weights"][0], weights, gradients, why, factor=1.0 if limit is None else limit / norm)


def test_parameters_without_gradient_are_passed_over(observe, draw):
    """A parameter that took no part in the loss keeps grad None."""
    weights, second = normal_weights(draw), [None, *normal_gradients(draw, norm=3.0)[1:]]
    gradients = [normal_gradients(draw, norm=3.0), second]
    for scaler, limit in (({"init_scale": 512.0}, None), ({"enabled": False}, 1e3), ({"init_scale": 512.0}, 1e3)):
        seen = observe(
            scenarios.backward_steps,
            weights=weights,
            gradients=gradients,
            scaler=scaler,
            optimizer="decay",
            max_grad_norm=limit,
        )
        after = [0.75 * weight - gradient for weight, gradient in zip(weights, gradients[0], strict=True)]
        moves = [None if gradient is None else gradient + 0.25 * w for w, gradient in zip(after, second, strict=True)]
        why = "a trainable parameter that took no part in the loss has grad None: pass it over, and leave it None"
        expect_weights(seen["weights"][1], after, moves, why)


def test_gradients_accumulate_and_stay(observe, draw):
    """Gradients from before are added to, and none is zeroed."""
    weights, earlier, gradients = (
        normal_weights(draw),
        normal_gradients(draw, norm=3.0),
        normal_gradients(draw, norm=2.0),
    )
    seen = observe(
        scenarios.backward_steps, weights=weights, gradients=[gradients], earlier=earlier, scaler={"init_scale": 512.0}
    )
    total = [one + other for one, other in zip(earlier, gradients, strict=True)]
    why = "zeroing gradients is the caller's business: it would lose the micro-batches accumulated before"
    expect_weights(seen["weights"][0], weights, total, why)
    for index, gradient in enumerate(total):
        expect(seen["gradients"][0][index], f"gradient of parameter {index} afterwards").close_to(
            gradient, FLOAT32, why
        )


def test_finite_gradients_of_any_size_are_stepped_with(observe, draw):
    """Finite gradients are no overflow, even if the sum of their squares is one."""
    for scaler in draw.shuffled(({"init_scale": 2.0 ** -draw.integer(3, 6)}, {"enabled": False})):
        weights, sizes = normal_weights(draw), sorted(10.0 ** draw.number(18, 34) for _ in range(5))
        gradients = [normal_gradients(draw, norm=size) for size in sizes]
        sizes.append(1e38)  # and last, entries whose sum float32 cannot hold, only their norm
        gradients.append([torch.full_like(weight, draw.number(0.85e38, 0.95e38)) for weight in weights])
        off = "" if scaler.get("enabled", True) else ", scaler off"
        seen = observe(scenarios.backward_steps, weights=weights, gradients=gradients, scaler=scaler)
        why = "only an inf or nan entry is an overflow: a norm is inf too where finite squares are too large"
        before = weights
        for step, size in enumerate(sizes):
            expect(seen["stepped"][step], f"returned for a gradient of norm {size:.0e}{off}").equals(True, why)
            rounding = Tolerance("float32 rounding of the weights", atol=1e-5 * max(sizes[: step + 1]))
            for index, (weight, gradient) in enumerate(zip(before, gradients[step], strict=True)):
                expect(seen["weights"][step][index], f"parameter {index} after step {step}{off}").close_to(
                    weight - gradient, rounding, why
                )
            before = seen["weights"][step]


def test_scale_backs_off_below_one(observe, draw):
    """The scale goes on backing off below 1, as long as gradients overflow."""
    weights, good = normal_weights(draw), draw.integer(1, 3)
    pattern, gradients = overflowing(draw, steps=16, good=good)
    backoff, scale = draw.number(0.05, 0.3), drawn_scale(draw, 1, 8)
    scaler = {"init_scale": scale, "backoff_factor": backoff, "growth_interval": 100}
    seen = observe(scenarios.backward_steps, weights=weights, gradients=gradients, scaler=scaler)
    why = "no floor was asked for: a loss with gradients near the limit of its format needs a scale below 1"
    for step, expected in enumerate(scales_after(pattern, scale, 2.0, backoff, 100)):
        expect(seen["scales"][step], f"loss scale after step {step}").close_to(
            expected, Tolerance("float32 rounding", rtol=1e-5), why
        )
    expect_history(seen, weights, pattern, gradients, why)


def test_shared_parameter_counts_once(observe, draw):
    """A parameter that two modules share counts once in the norm."""
    shared, own, limit = draw.normal(4), draw.normal(3), draw.number(0.5, 1.5)
    flats = [draw.vector(7, draw.number(4.0, 6.0)) for _ in range(6)]
    gradients = [[flat[:4], flat[4:]] for flat in flats]
    why = "model.parameters() names a shared parameter once, the modules one by one name it twice"
    for scaler in draw.shuffled(({"init_scale": drawn_scale(draw, 300, 3000)}, {"enabled": False})):
        seen = observe(
            scenarios.steps_of_shared,
            shared=shared,
            own=own,
            gradients=gradients,
            scaler=scaler,
            max_grad_norm=limit,
        )
        before = [shared, own]
        for step, flat in enumerate(flats):
            expect_weights(seen["weights"][step], before, gradients[step], why, limit / flat.norm().item())
            before = seen["weights"][step]


def test_old_gradients_of_frozen_parameters_count_nowhere(observe, draw):
    """A parameter that was frozen with a gradient in it counts in no norm, skips no step and keeps that gradient."""
    for scaler in draw.shuffled(({"init_scale": drawn_scale(draw, 300, 3000)}, {"enabled": False})):
        for limit in draw.shuffled((None, draw.number(0.5, 1.5))):
            frozen, pattern = draw.pattern(6, share=0.5), draw.pattern(4, share=0.5)
            weights = [draw.normal(4) for _ in frozen]
            old = [draw.normal(4) * 10.0 ** draw.integer(1, 3) for _ in frozen]
            if limit is None:
                old[frozen.index(True)][draw.integer(0, 3)] = draw.choice((INF, -INF, NAN))
            flats = [draw.vector(4 * frozen.count(False), 5.0) for _ in pattern]
            for flat, bad in zip(flats, pattern, strict=True):
                if bad:
                    flat[draw.integer(0, len(flat) - 1)] = draw.choice((INF, -INF, NAN))
            gradients = [[None if is_frozen else next(used) for is_frozen in frozen]
                         for used in (iter(flat.split(4)) for flat in flats)]  # fmt: skip
            seen = observe(
                scenarios.steps_beside_old_gradients,
                weights=weights, gradients=gradients, old=old, frozen=frozen, scaler=scaler, max_grad_norm=limit,
            )  # fmt: skip
            why = "a frozen parameter takes no part, whatever gradient it still holds: look at requires_grad too"
            expect(seen["stepped"], "returned").equals([not bad for bad in pattern], why)
            expect(seen["frozen"], "which parameters are frozen afterwards").equals(frozen, why)
            held = [gradient for gradient, is_frozen in zip(old, frozen, strict=True) if is_frozen]
            before = weights
            for step, (bad, step_gradients) in enumerate(zip(pattern, gradients, strict=True)):
                moves = [None] * len(frozen) if bad else step_gradients
                expect_weights(seen["weights"][step], before, moves, why, 1.0 if limit is None else limit / 5.0)
                before = seen["weights"][step]
                left = [one for one, is_frozen in zip(seen["gradients"][step], frozen, strict=True) if is_frozen]
                expect(left, f"what the frozen parameters hold after {'skipped ' * bad}step {step}").equals(
                    held, "no gradient is zeroed or taken away here: a frozen one is passed over, and stays"
                )


def test_fused_optimizer_skips_too(observe, draw):
    """A fused optimizer steps, skips and reports like any other."""
    weights = normal_weights(draw)
    pattern, gradients = overflowing(draw, steps=12)
    for scaler in draw.shuffled(({"init_scale": 1024.0}, {"enabled": False})):
        seen = observe(scenarios.backward_steps, weights=weights, gradients=gradients, scaler=scaler, optimizer="fused")
        why = "GradScaler calls a fused optimizer's step() in a skipped step too: that it was called is no step"
        expect_history(seen, weights, pattern, gradients, why)


def test_limit_below_zero_is_refused(observe, draw):
    """A max_grad_norm below 0 is a ValueError; one of 0 or more is not."""
    weights = normal_weights(draw)
    limits = draw.shuffled([draw.number(0.5, 4.0) * sign for sign in (1, 1, 1, 1, 1, -1, -1, -1)])
    gradients = [normal_gradients(draw, norm=5.0) for _ in limits]
    for step in draw.shuffled([index for index, limit in enumerate(limits) if limit < 0])[:1]:
        gradients[step][0][draw.integer(0, 3)] = draw.choice((INF, NAN))  # refused too, not skipped
    for scaler in draw.shuffled(({"init_scale": 512.0}, {"enabled": False})):
        seen = observe(scenarios.steps_with_limits, weights=weights, gradients=gradients, limits=limits, scaler=scaler)
        for limit, step_gradients, after in zip(limits, gradients, seen, strict=True):
            if limit < 0:
                expect_value_error(after, f"max_grad_norm={limit:.3g}", [])
            else:
                why = "a limit above 0 clips"
                if isinstance(after, Raised):
                    expect(after, f"max_grad_norm={limit:.3g}").equals([], why)
                expect_weights(after, weights, step_gradients, why, factor=limit / 5.0)


def test_skip_keeps_the_gradients(observe, draw):
    """A skipped step zeroes no gradient and takes none away, also not the old one of a frozen parameter."""
    why = "zeroing gradients is the caller's business, after a skipped step too; what was set aside is put back"
    for scaler in draw.shuffled(({"init_scale": 512.0}, {"enabled": False})):
        pattern, gradients = overflowing(draw, steps=10)
        weights, old = [*normal_weights(draw), *(draw.normal(4) for _ in range(3))], [None] * 6
        held, empty, _ = draw.shuffled((3, 4, 5))  # two are frozen, one of them with an old gradient; one is unused
        old[held] = draw.normal(4)
        seen = observe(
            scenarios.steps_beside_old_gradients,
            weights=weights,
            gradients=[[*step_gradients, None, None, None] for step_gradients in gradients],
            old=old,
            frozen=[index in (held, empty) for index in range(6)],
            scaler=scaler,
            owned=True,
        )
        for step, (bad, step_gradients) in enumerate(zip(pattern, gradients, strict=True)):
            left, kind = seen["gradients"][step], "skipped step" if bad else "step"
            for index, (one, true) in enumerate(zip(left, [*step_gradients, *old[3:]], strict=True)):
                kinds = [(part.dtype, part.shape) if isinstance(part, Tensor) else part for part in (one, true)]
                asked = "no gradient" if true is None else "a gradient of its dtype and shape"
                expect(kinds[0] == kinds[1], f"parameter {index} has {asked} after {kind} {step}").equals(True, why)
            # Unscaled or not, the finite entries have their ratios; all may be nan.
            for name, one, true in (
                ("the gradient", *(torch.cat([part.reshape(-1) for part in g[:3]]) for g in (left, step_gradients))),
                ("a frozen parameter's old gradient", left[held], old[held]),
            ):
                if one.isfinite().any():
                    one, true = (torch.where(true.isfinite(), part, 0.0) for part in (one, true))
                    rounding = Tolerance("float32 rounding of the norm", atol=1e-5)
                    expect(one / one.norm(), f"direction of {name} after {kind} {step}").close_to(
                        true / true.norm(), rounding, why
                    )
