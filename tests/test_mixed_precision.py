"""The graded suite of Lab 04: one behaviour a test, judged by the values that a scenario brought back.

`observe(scenario, ...)` runs a scenario on the code under test; `draw` draws its inputs from the seed. What is expected
is computed from the drawn inputs by plain formulas. Points and reading of every test stand in the lab's manifest.
"""

import math

import torch
from torch import Tensor
from torch.nn import functional as F

from labkit.judge.expect import Tolerance, expect
from labkit.labs.mixed_precision.banner import milestone_banner
from labkit.observe.values import Raised
from labkit.toolbox.datasets import digits
from labkit.toolbox.models import SimpleModel
from references.mixed_precision import (
    INF,
    NAN,
    drawn_batches,
    drawn_scale,
    drawn_state,
    follow,
    infinite_batch,
    layer_norm64,
    linear_batches,
    linear_in,
    mean_loss,
    normal_gradients,
    normal_weights,
    overflowing,
    plain,
    reference_training,
    running_mean,
    scales_after,
    sharp_state,
    uneven_epoch,
)
from scenarios import mixed_precision as lab04

HALVES = (torch.float16, torch.bfloat16)
FORMATS = (*HALVES, torch.float32)

EXACT = Tolerance("nothing is rounded on the way", atol=0.0)
FLOAT32 = Tolerance("a few float32 roundings of 2^-24 each", rtol=1e-5, atol=1e-6)
ONE_ULP = Tolerance(
    "computed wider and rounded once; the kernel's order of sums may move it by one", ulps=1.01, atol=1e-7
)
HALF_LINEAR = Tolerance("rounding of a bias and of a product to half precision", ulps=2.01, atol=2e-3)
HALF_TRAINING = Tolerance("half-precision rounding of activations and gradients, below 1 % each", rtol=0.03, atol=1e-12)

# Step 1: autocast


def expect_linear(seen: object, what: str, dtype: torch.dtype, inputs: Tensor, weight: Tensor) -> None:
    tolerance = FLOAT32 if dtype == torch.float32 else ONE_ULP
    expect(seen, what).close_to(
        linear_in(dtype, inputs, weight), tolerance, dtype=dtype,
        why="the model must run under autocast in this dtype, on the device type of the inputs",
    )  # fmt: skip


def test_linear_layers_compute_in_the_dtype(observe, draw):
    weight, inputs = draw.normal(5, 8), draw.normal(4, 8)
    dtypes = draw.shuffled(FORMATS)
    seen = observe(lab04.forward_in_each, weight=weight, inputs=inputs, dtypes=dtypes)
    for dtype, output in zip(dtypes, seen, strict=True):
        expect_linear(output, f"inner Linear for {str(dtype).removeprefix('torch.')}", dtype, inputs, weight)


def test_default_dtype_is_float16(observe, draw):
    weight, inputs = draw.normal(5, 8), draw.normal(4, 8)
    (seen,) = observe(lab04.forward_in_each, weight=weight, inputs=inputs, dtypes=[None])
    expect_linear(seen, "inner Linear without dtype=", torch.float16, inputs, weight)


def test_half_inputs_are_accepted(observe, draw):
    dtype, other = draw.shuffled(HALVES)
    weight, inputs = draw.normal(5, 8), draw.normal(4, 8, dtype=other)
    (seen,) = observe(lab04.forward_in_each, weight=weight, inputs=inputs, dtypes=[dtype])
    expect_linear(seen, "inner Linear", dtype, inputs, weight)


def test_elementwise_operations_keep_float32(observe, draw):
    dtype = draw.choice(HALVES)
    scale, weight, inputs = draw.normal(8), draw.normal(5, 8), draw.normal(4, 8)
    seen = observe(lab04.forward_with_elementwise, scale=scale, weight=weight, inputs=inputs, dtype=dtype)
    expect(seen["scaled"], "inputs * parameter").close_to(
        inputs * scale,
        FLOAT32,
        why="autocast decides operation by operation, and a product of float32 tensors stays float32: "
        "neither the inputs nor the whole model may be cast by hand",
    )
    expect_linear(seen["linear"], "the Linear behind it", dtype, inputs * scale, weight)


def test_output_comes_back(observe, draw):
    weight, inputs = draw.normal(5, 8), draw.normal(4, 8) * draw.away_from_zero(4, 1, low=1.0, high=4.0)
    inputs[draw.integer(0, 3)] *= 1e6
    seen = observe(lab04.forward_returns, weight=weight, inputs=inputs, dtype=torch.float16)
    expected = linear_in(torch.float16, inputs, weight).half().double()
    why = "return what the model computed, an overflow to inf or nan included: the skipped steps depend on it"
    expect(seen.isfinite(), "finite outputs").equals(expected.isfinite(), why)
    rounding = Tolerance("float16 rounding of outputs below 64", atol=0.04)
    finite = torch.where(expected.isfinite(), seen, 0.0)
    expect(finite, "output").close_to(expected.nan_to_num(0.0, 0.0, 0.0), rounding, why, dtype=seen.dtype)


def test_other_dtypes_are_refused(observe, draw):
    weight, inputs = draw.normal(5, 8), draw.normal(4, 8)
    dtypes = draw.shuffled([*FORMATS, torch.float64, torch.int8])
    seen = observe(lab04.forward_in_each, weight=weight, inputs=inputs, dtypes=dtypes)
    for dtype, output in zip(dtypes, seen, strict=True):
        if dtype in FORMATS:
            expect_linear(output, "inner Linear", dtype, inputs, weight)
        else:
            expect_value_error(output, f"dtype={dtype}", ["float16", "bfloat16", "float32"])


def expect_value_error(seen: object, what: str, names: list[str]) -> None:
    why = "bad input gets a ValueError" + (f" that names {', '.join(names)}" if names else "")
    got = seen if isinstance(seen, Raised) else Raised("no exception", "")
    expect(got.type, f"{what}: exception").equals("ValueError", why)
    # "float16" is a part of "bfloat16": take the longer names out first
    message, found = got.message, []
    for name in sorted(names, key=len, reverse=True):
        if name in message:
            found.append(name)
            message = message.replace(name, "")
    expect(sorted(found), f"{what}: dtypes in the message").equals(sorted(names), why)


def leaves_behind(observe, draw) -> tuple[list[Tensor], list[bool], dict]:
    weights, modes = [draw.normal(6, 6) for _ in range(10)], draw.pattern(10, share=0.5)
    inputs, dtype = draw.normal(3, 6), draw.choice(HALVES)
    return (
        weights,
        modes,
        observe(lab04.forward_leaves_behind, weights=weights, modes=modes, inputs=inputs, dtype=dtype),
    )


def test_parameters_are_left_alone(observe, draw):
    weights, _, seen = leaves_behind(observe, draw)
    why = "autocast casts copies; the parameters are the float32 master weights, so neither dtype nor value may change"
    for index, weight in enumerate(weights):
        expect(seen["weights"][index], f"weight of layer {index}").close_to(weight, EXACT, why)


def test_training_mode_is_left_alone(observe, draw):
    weights, modes, seen = leaves_behind(observe, draw)
    why = "a forward pass decides on precision alone; train() and eval() are the caller's business"
    expect(seen["during"], "training mode of the layers in the forward pass").equals(modes, why)
    expect(seen["after"], "training mode of the layers afterwards").equals(modes, why)
    expect(seen["weights"][0], "weight of layer 0").close_to(weights[0], EXACT, "the parameters changed")


def test_gradients_flow_to_the_parameters(observe, draw):
    dtype = draw.choice(HALVES)
    weights, inputs, cotangent = [draw.normal(6, 8), draw.normal(3, 6)], draw.normal(4, 8), draw.normal(4, 3)
    seen = observe(lab04.forward_gradients, weights=weights, inputs=inputs, cotangent=cotangent, dtype=dtype)
    hidden = inputs @ weights[0].T
    expected = {
        "of layer 0": (cotangent @ weights[1]).T @ inputs,
        "of layer 1": cotangent.T @ hidden,
        "of the inputs": cotangent @ weights[1] @ weights[0],
    }
    for got, (name, gradient) in zip(seen, expected.items(), strict=True):
        rounding = Tolerance(
            "a few roundings to bfloat16 of 2^-9 each, of the largest terms", atol=0.05 * gradient.abs().max().item()
        )
        expect(got, f"gradient {name}").close_to(
            gradient,
            rounding,
            why="the graph must reach the float32 parameters: no no_grad, detach or cast copy of the model",
        )


def test_autocast_ends_with_the_forward_pass(observe, draw):
    weight, inputs = draw.normal(5, 8), [draw.normal(4, 8) for _ in range(4)]
    fails = draw.pattern(4, share=0.5)
    dtype = draw.choice(HALVES)
    seen = observe(lab04.products_after_forward, weight=weight, inputs=inputs, fails=fails, dtype=dtype)
    for index, (batch, fail) in enumerate(zip(inputs, fails, strict=True)):
        after = "a model that raised" if fail else "the forward pass"
        expect(seen[index], f"a matrix product after {after}").close_to(
            batch @ weight.T, FLOAT32, why="autocast was still on; a `with` block ends also when the model raises"
        )


def test_autocast_state_of_the_caller_is_kept(observe, draw):
    weight, inputs = draw.normal(5, 8), draw.normal(4, 8)
    outer, dtype = draw.shuffled(HALVES)
    seen = observe(lab04.products_around_forward, weight=weight, inputs=inputs, outer=outer, dtype=dtype)
    why = "the caller may be in a region of their own: do not set global autocast state, open a region"
    for place, product in seen.items():
        expect(product, f"a matrix product in the caller's region ({place})").close_to(
            linear_in(outer, inputs, weight), ONE_ULP, why, dtype=outer
        )


def test_token_ids_stay_integers(observe, draw):
    table, weight, tokens = draw.normal(5000, 4), draw.normal(3, 4), draw.integers(6, low=2049, high=5000)
    dtype = draw.choice(HALVES)
    seen = observe(lab04.token_ids_seen, table=table, weight=weight, tokens=tokens, dtype=dtype)
    why = "integer inputs index tables: no cast may touch them (half precision would round ids above 256 or 2048)"
    expect(seen["tokens"], "token ids in the model").equals(tokens, why)
    expect_linear(seen["linear"], "the Linear behind the embedding", dtype, table[tokens], weight)


# Step 2: loss scaling


def test_scaler_takes_every_setting(observe, draw):
    settings = {
        "init_scale": draw.number(100.0, 1000.0),
        "growth_factor": draw.number(1.5, 4.0),
        "backoff_factor": draw.number(0.1, 0.9),
        "growth_interval": draw.integer(3, 900),
    }
    loss = draw.away_from_zero(1)
    seen, again = observe(lab04.scalers, settings=[settings, settings], loss=loss)
    for name, value in settings.items():
        key = "scale" if name == "init_scale" else name
        expect(seen["state"].get(key), f"state_dict()[{key!r}]").close_to(
            value, FLOAT32, why=f"{name} did not reach the GradScaler (its first positional argument is the device)"
        )
    expect(seen["scaled"], "scale(loss)").close_to(
        loss * settings["init_scale"], FLOAT32, "the scaler is off, or has another scale"
    )
    expect(again["scaled"], "scale(loss) of a second scaler").close_to(
        loss * settings["init_scale"], FLOAT32, "every call makes a scaler of its own"
    )


def test_scaler_is_made_for_the_device(observe, draw):
    devices, loss, scale = draw.shuffled(["cpu", "cuda"] * 3), draw.away_from_zero(1), draw.number(100.0, 1000.0)
    seen = observe(lab04.scalers_on, devices=devices, loss=loss, init_scale=scale)
    for device, scaled in zip(devices, seen, strict=True):
        on = device == "cpu" or torch.cuda.is_available()
        why = "`device` did not reach the GradScaler (one for a device that is not there scales nothing)"
        expect(scaled, f"scale(loss) with device={device!r}").close_to(loss * scale if on else loss, FLOAT32, why)


def test_scaler_works_here_without_arguments(observe, draw):
    loss = draw.away_from_zero(1)
    (seen,) = observe(lab04.scalers, settings=[{}], loss=loss)
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
    enabled, loss = draw.pattern(8, share=0.5), draw.away_from_zero(1)
    settings = [{"init_scale": 2.0 ** (index + 3), "enabled": on} for index, on in enumerate(enabled)]
    seen = observe(lab04.scalers, settings=settings, loss=loss)
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
    weights, gradients = normal_weights(draw), normal_gradients(draw, norm=3.0)
    scaler = {"init_scale": drawn_scale(draw, 300, 3000)}
    seen = observe(lab04.backward_steps, weights=weights, gradients=[gradients], scaler=scaler)
    why = "scale the loss once, unscale the gradients once, and let the optimizer step once"
    expect_weights(seen["weights"][0], weights, gradients, why)
    expect(seen["stepped"], "returned").equals([True], "True says that the optimizer stepped")


def test_loss_is_scaled_before_backward(observe, draw):
    gradient = draw.away_from_zero(6, low=1.0, high=4.0) * 2.0**-30
    seen = observe(lab04.backward_through_half, gradient=gradient, init_scale=2.0**20)
    expect(seen["moved"], "what the weight moved by").close_to(
        gradient, Tolerance("the scaled gradient passes through float16: 2^-11", rtol=2**-10),
        why="gradients this small are zeros in float16 unless the loss is multiplied by the scale before backward()",
    )  # fmt: skip


def test_clipping_limits_the_true_norm(observe, draw):
    weights, gradients = normal_weights(draw), normal_gradients(draw, norm=5.0)
    limit, scaler = draw.number(0.5, 2.0), {"init_scale": drawn_scale(draw, 300, 3000)}
    seen = observe(lab04.backward_steps, weights=weights, gradients=[gradients], scaler=scaler, max_grad_norm=limit)
    why = "the limit is on the 2-norm of the unscaled gradients of all parameters together: unscale first, then clip"
    expect_weights(seen["weights"][0], weights, gradients, why, factor=limit / 5.0)


def test_clipping_spares_gradients_below_the_limit(observe, draw):
    weights, gradients = normal_weights(draw), normal_gradients(draw, norm=5.0)
    limit, scaler = draw.number(5.5, 6.5), {"init_scale": drawn_scale(draw, 300, 3000)}
    seen = observe(lab04.backward_steps, weights=weights, gradients=[gradients], scaler=scaler, max_grad_norm=limit)
    why = "the gradients' 2-norm is below the limit, so they must be left alone (measured unscaled, not value by value)"
    expect_weights(seen["weights"][0], weights, gradients, why)


def test_limit_of_zero_is_a_limit(observe, draw):
    weights, gradients = normal_weights(draw), normal_gradients(draw, norm=5.0)
    seen = observe(
        lab04.backward_steps, weights=weights, gradients=[gradients], scaler={"init_scale": 1024.0}, max_grad_norm=0.0,
        optimizer="decay",
    )  # fmt: skip
    why = "a limit of 0.0 leaves weight decay alone to act; `if max_grad_norm:` takes it for no limit"
    expect_weights(seen["weights"][0], weights, weights, why, factor=0.25)


def expect_history(
    seen: dict, weights: list[Tensor], pattern: list[bool], gradients: list, why: str, factor: float = 1.0
) -> None:
    """Weights and returned values of every step, where `pattern` says which steps have an inf or nan gradient."""
    tolerance = Tolerance("float32 rounding over a dozen steps", atol=1e-4)
    for step, expected in enumerate(follow(weights, pattern, gradients, factor)):
        kind = "skipped step" if pattern[step] else "step"
        for index, weight in enumerate(expected):
            expect(seen["weights"][step][index], f"parameter {index} after {kind} {step}").close_to(
                weight, tolerance, why
            )
    expect(seen["stepped"], "returned").equals([not bad for bad in pattern], why)


def test_overflow_skips_the_step(observe, draw):
    weights = normal_weights(draw)
    pattern, gradients = overflowing(draw, steps=12)
    seen = observe(lab04.backward_steps, weights=weights, gradients=gradients, scaler={"init_scale": 1024.0})
    why = "one inf or nan in any gradient skips the whole step; it returns True if the optimizer stepped"
    expect_history(seen, weights, pattern, gradients, why)


def test_scale_backs_off_and_grows(observe, draw):
    weights = normal_weights(draw)
    pattern, gradients = overflowing(draw, steps=12, good=4)
    growth, backoff, interval = draw.number(1.5, 3.0), draw.number(0.2, 0.7), draw.integer(2, 3)
    scaler = {
        "init_scale": drawn_scale(draw, 2000, 4000),
        "growth_factor": growth,
        "backoff_factor": backoff,
        "growth_interval": interval,
    }
    seen = observe(lab04.backward_steps, weights=weights, gradients=gradients, scaler=scaler)
    for step, scale in enumerate(scales_after(pattern, scaler["init_scale"], growth, backoff, interval)):
        expect(seen["scales"][step], f"loss scale after step {step}").close_to(
            scale, FLOAT32, why="update() belongs at the end of every step, skipped ones too, exactly once"
        )
    expect_history(seen, weights, pattern, gradients, "a scale that grows (or will) says nothing about a skip")


def test_gradients_decide_on_a_skip(observe, draw):
    weights = normal_weights(draw)
    pattern, gradients = overflowing(draw, steps=12)
    losses = [draw.choice((1.0, INF, NAN)) for _ in pattern]
    seen = observe(
        lab04.backward_steps, weights=weights, gradients=gradients, losses=losses, scaler={"init_scale": 64.0}
    )
    why = "a finite loss can have an infinite gradient, and the other way round: look at the gradients"
    expect_history(seen, weights, pattern, gradients, why)


def test_large_gradients_are_no_overflow(observe, draw):
    weights, size = normal_weights(draw), 2.0 ** draw.integer(30, 40)
    gradients = normal_gradients(draw, norm=size)
    limit = draw.number(0.5, 2.0)
    scaler = {"init_scale": 2.0**16}
    seen = observe(lab04.backward_steps, weights=weights, gradients=[gradients], scaler=scaler, max_grad_norm=limit)
    why = "gradients are float32: only inf and nan are an overflow, large finite values are clipped and stepped with"
    expect_weights(seen["weights"][0], weights, gradients, why, factor=limit / size)
    expect(seen["stepped"], "returned").equals([True], why)


def test_skip_leaves_the_optimizer_state(observe, draw):
    for scaler in draw.shuffled(({"init_scale": 1024.0}, {"enabled": False})):
        weights = normal_weights(draw)
        pattern, gradients = overflowing(draw, steps=8)
        seen = observe(lab04.backward_steps, weights=weights, gradients=gradients, scaler=scaler, optimizer="momentum")
        velocity = None
        for step, (bad, step_gradients) in enumerate(zip(pattern, gradients, strict=True)):
            if not bad:
                velocity = [0.5 * v + g for v, g in zip(velocity or [0.0] * 3, step_gradients, strict=True)]
            for index, expected in enumerate(velocity or []):
                buffer = seen["state"][step][index].get("momentum_buffer")
                off = "" if scaler.get("enabled", True) else ", scaler off"
                expect(buffer, f"momentum of parameter {index} after step {step}{off}").close_to(
                    expected,
                    Tolerance("float32 rounding over a few steps", atol=1e-4),
                    why="a skipped step must not reach the optimizer at all, not even with gradients set to zero",
                )


def test_clipping_survives_an_overflow(observe, draw):
    weights, limit = normal_weights(draw), draw.number(0.5, 1.5)
    pattern, gradients = overflowing(draw, steps=10)
    seen = observe(
        lab04.backward_steps, weights=weights, gradients=gradients, scaler={"init_scale": 1024.0}, max_grad_norm=limit
    )
    why = "an infinite norm is a step to skip, not an error and not a reason to zero the gradients"
    expect_history(seen, weights, pattern, gradients, why, factor=limit / 2.0)
    for step, scale in enumerate(scales_after(pattern, 1024.0, 2.0, 0.5, 2000)):
        expect(seen["scales"][step], f"loss scale after step {step}").close_to(
            scale, EXACT, why="a skip backs the scale off, also when clipping"
        )


def test_disabled_scaler_steps_plainly(observe, draw):
    weights, limit = normal_weights(draw), draw.number(0.5, 1.5)
    gradients = [normal_gradients(draw, norm=2.0) for _ in range(3)]
    why = "with a disabled scaler: plain backward, clip if asked, step"
    for clip in (None, limit):
        seen = observe(
            lab04.backward_steps, weights=weights, gradients=gradients, scaler={"enabled": False}, max_grad_norm=clip
        )
        expect_history(seen, weights, [False] * 3, gradients, why, factor=1.0 if clip is None else limit / 2.0)


def test_disabled_scaler_keeps_nan_from_the_weights(observe, draw):
    weights, limit = normal_weights(draw), draw.number(0.5, 1.5)
    pattern, gradients = overflowing(draw, steps=10)
    why = "a disabled scaler checks nothing (it keeps no found_inf): look at the gradients yourself before the step"
    for clip in (None, limit):
        seen = observe(
            lab04.backward_steps, weights=weights, gradients=gradients, scaler={"enabled": False}, max_grad_norm=clip
        )
        expect_history(seen, weights, pattern, gradients, why, factor=1.0 if clip is None else limit / 2.0)


def test_frozen_parameters_are_passed_over(observe, draw):
    weights, norm = [*normal_weights(draw), draw.normal(3)], 4.0
    frozen = draw.integer(0, 3)
    flat = draw.vector(14 - len(weights[frozen].view(-1)), norm)
    used = iter(flat.split([weight.numel() for index, weight in enumerate(weights) if index != frozen]))
    gradients = [None if i == frozen else next(used).reshape(weight.shape) for i, weight in enumerate(weights)]
    for limit in (None, 1.0):
        seen = observe(
            lab04.backward_steps,
            weights=weights,
            gradients=[gradients],
            scaler={"init_scale": 512.0},
            max_grad_norm=limit,
        )
        why = "a frozen parameter has no gradient: pass it over"
        expect_weights(seen["weights"][0], weights, gradients, why, factor=1.0 if limit is None else limit / norm)


def test_parameters_without_gradient_are_passed_over(observe, draw):
    weights, second = normal_weights(draw), [None, *normal_gradients(draw, norm=3.0)[1:]]
    gradients = [normal_gradients(draw, norm=3.0), second]
    for scaler in ({"init_scale": 512.0}, {"enabled": False}):
        seen = observe(lab04.backward_steps, weights=weights, gradients=gradients, scaler=scaler, optimizer="decay")
        after = [0.75 * weight - gradient for weight, gradient in zip(weights, gradients[0], strict=True)]
        moves = [None if gradient is None else gradient + 0.25 * w for w, gradient in zip(after, second, strict=True)]
        why = "a trainable parameter that took no part in the loss has grad None: pass it over, and leave it None"
        expect_weights(seen["weights"][1], after, moves, why)


def test_gradients_accumulate_and_stay(observe, draw):
    weights, earlier, gradients = (
        normal_weights(draw),
        normal_gradients(draw, norm=3.0),
        normal_gradients(draw, norm=2.0),
    )
    seen = observe(
        lab04.backward_steps, weights=weights, gradients=[gradients], earlier=earlier, scaler={"init_scale": 512.0}
    )
    total = [one + other for one, other in zip(earlier, gradients, strict=True)]
    why = "zeroing gradients is the caller's business: it would lose the micro-batches accumulated before"
    expect_weights(seen["weights"][0], weights, total, why)
    for index, gradient in enumerate(total):
        expect(seen["gradients"][0][index], f"gradient of parameter {index} afterwards").close_to(
            gradient, FLOAT32, why
        )


# Step 3: the trainer


MODEST_SCALE = 1024.0  # the default of 65536 overflows for some drawn batches, and this is not about skips


def modest(dtype: torch.dtype) -> dict | None:
    """A scaler of a modest scale to assign before the first step, where there is loss scaling at all."""
    return {"0": {"init_scale": MODEST_SCALE}} if dtype == torch.float16 else None


def expect_movement(seen: dict, before: dict, expected: dict, why: str) -> None:
    """The weights moved from `before` as they did in the reference, up to half-precision rounding."""
    moves = {name: value - before[name] for name, value in expected.items()}
    largest = max(moved.abs().max().item() for moved in moves.values())
    for name, moved in moves.items():
        tolerance = Tolerance(
            "half-precision rounding: 2^-9 of each term, and in a bias's gradient large terms cancel",
            atol=0.03 * moved.abs().max().item() + 0.01 * largest + 1e-7,
        )
        expect(seen[name] - before[name], f"movement of {name}").close_to(moved, tolerance, why)


def test_scaler_is_on_for_float16_only(observe, draw):
    asked = [{"dtype": dtype, "use_scaler": use} for dtype in FORMATS for use in (None, True, False)]
    asked, loss = draw.shuffled([*asked, {}]), draw.away_from_zero(1)
    seen = observe(lab04.trainers_of, state=drawn_state(draw), loss=loss, asked=asked)
    for one, scaled in zip(asked, seen, strict=True):
        use = one.get("use_scaler")
        on = one.get("dtype", torch.float16) == torch.float16 if use is None else use
        text = ", ".join(f"{name}={value}" for name, value in one.items())
        expect(scaled, f"loss scaled by the trainer({text})").close_to(
            loss * 65536.0 if on else loss,
            FLOAT32,
            why="only float16 needs loss scaling; use_scaler=True or False decides over it",
        )


def test_trainer_refuses_other_dtypes(observe, draw):
    asked, loss = (
        draw.shuffled([{"dtype": dtype} for dtype in (*HALVES, torch.float64, torch.int32)]),
        draw.away_from_zero(1),
    )
    seen = observe(lab04.trainers_of, state=drawn_state(draw), loss=loss, asked=asked)
    for one, scaled in zip(asked, seen, strict=True):
        if one["dtype"] in HALVES:
            on = one["dtype"] == torch.float16
            expect(scaled, f"loss scaled by the trainer({one['dtype']})").close_to(
                loss * (65536.0 if on else 1.0), FLOAT32, "it is a legal dtype"
            )
        else:
            expect_value_error(scaled, f"MixedPrecisionTrainer(dtype={one['dtype']})", [])


def test_step_trains_in_each_format(observe, draw):
    state, batches = drawn_state(draw), drawn_batches(draw, count=3)
    for dtype in draw.shuffled(FORMATS):
        seen = observe(lab04.train_steps, state=state, batches=batches, dtype=dtype, lr=0.1, scalers=modest(dtype))
        scale = MODEST_SCALE if dtype == torch.float16 else 1.0
        losses, history = reference_training(state, batches, dtype, lr=0.1, scale=scale)
        why = "a step is: fresh gradients, forward and loss under autocast, scaled_backward on float32 weights"
        expect_movement(seen["weights"][-1], state, history[-1], why)
        tolerance = FLOAT32 if dtype == torch.float32 else HALF_TRAINING
        for step, loss in enumerate(losses):
            expect(seen["losses"][step], f"loss of step {step}").close_to(
                loss, tolerance, "train_step returns the unscaled loss of the step, a float, unrounded"
            )


def test_step_computes_in_the_dtype(observe, draw):
    state, batches = drawn_state(draw), drawn_batches(draw, count=1)
    for dtype in draw.shuffled(FORMATS):
        seen = observe(lab04.train_steps, state=state, batches=batches, dtype=dtype, lr=0.1)
        expected = linear_in(dtype, batches[0][0], state["0.weight"]) + state["0.bias"].double()
        tolerance = FLOAT32 if dtype == torch.float32 else HALF_LINEAR
        expect(seen["hidden"][0], "the first Linear in train_step").close_to(
            expected, tolerance, dtype=dtype, why="train_step's forward pass runs under autocast in the trainer's dtype"
        )


def test_loss_is_computed_in_float32(observe, draw):
    state, batches = drawn_state(draw), drawn_batches(draw, count=2)
    for dtype, batch in zip(draw.shuffled(HALVES), batches, strict=True):
        seen = observe(lab04.losses_and_outputs, state=state, batch=batch, dtype=dtype)
        for name, outputs in zip(("train_step", "evaluate"), seen["outputs"], strict=True):
            expected = F.cross_entropy(outputs.double(), batch[1]).item()
            why = "the criterion belongs under autocast too, which takes it to float32: a half loss has three digits"
            expect(seen[name], f"loss of {name}").close_to(expected, FLOAT32, why)


def test_master_weights_keep_small_updates(observe, draw):
    state, batches, dtype = drawn_state(draw), drawn_batches(draw, count=2) * 4, draw.choice(HALVES)
    seen = observe(lab04.train_steps, state=state, batches=batches, dtype=dtype, lr=1e-4, scalers=modest(dtype))
    scale = MODEST_SCALE if dtype == torch.float16 else 1.0
    _, history = reference_training(state, batches, dtype, lr=1e-4, scale=scale)
    for name in ("0.weight", "3.weight"):
        moved = history[-1][name] - state[name]
        tolerance = Tolerance(
            "float32 rounding of a weight of size 1, eight times, and half-precision gradients",
            atol=0.03 * moved.abs().max().item() + 8 * 2**-24,
        )
        expect(seen["weights"][-1][name] - state[name], f"movement of {name}").close_to(
            moved,
            tolerance,
            why="updates far below half precision's resolution must add up: the weights stay float32, unrounded",
        )


def test_gradients_are_fresh_in_every_step(observe, draw):
    state, batches = drawn_state(draw), drawn_batches(draw, count=3)
    stale = draw.number(5.0, 9.0)
    seen = observe(lab04.train_steps, state=state, batches=batches, dtype=torch.bfloat16, lr=0.1, stale=stale)
    _, history = reference_training(state, batches, torch.bfloat16, lr=0.1)
    for step, weights in enumerate(history):
        before = history[step - 1] if step else state
        why = "gradients of an earlier step are still there: zero them before backward, in every train_step"
        expect_movement(seen["weights"][step], before, weights, why)


def test_skipped_steps_are_reported(observe, draw):
    state, pattern = drawn_state(draw), draw.pattern(10)
    batches, scaler = linear_batches(draw, pattern), {"init_scale": 2.0 ** draw.integer(8, 11)}
    seen = observe(
        lab04.train_steps,
        state=state,
        batches=batches,
        dtype=torch.float16,
        lr=1e-6,
        criterion="linear",
        scalers={"0": scaler},
    )
    why = "train_step returns (loss, step_skipped): True if nothing moved"
    expect(seen["skipped"], "step_skipped").equals(pattern, why)
    for step, scale in enumerate(scales_after(pattern, scaler["init_scale"], 2.0, 0.5, 2000)):
        expect(seen["scales"][step], f"loss scale after step {step}").close_to(
            scale, EXACT, why="every skip halves the loss scale"
        )
    losses, _ = reference_training(state, batches, torch.float32, 0.0, "linear")
    for step, (loss, (_, targets)) in enumerate(zip(losses, batches, strict=True)):
        rounding = Tolerance("float16 rounding of the outputs", atol=0.01 * targets.abs().max().item())
        expect(seen["losses"][step], f"loss of step {step}").close_to(
            loss, rounding, "the loss is reported unscaled, also for a skipped step, and float targets stay float32"
        )


def test_assigned_scaler_is_used(observe, draw):
    state, pattern = drawn_state(draw), draw.pattern(8, share=0.3)
    scales = [2.0 ** draw.integer(4, 11) for _ in pattern]
    scalers = {str(step): {"init_scale": scale} for step, scale in enumerate(scales)}
    batches = linear_batches(draw, pattern)
    seen = observe(
        lab04.train_steps,
        state=state,
        batches=batches,
        dtype=torch.float16,
        lr=1e-3,
        criterion="linear",
        scalers=scalers,
    )
    expected = [scale * (0.5 if bad else 1.0) for bad, scale in zip(pattern, scales, strict=True)]
    why = "`trainer.scaler` may be assigned at any time: read it in every step"
    expect(seen["scales"], "loss scales").equals(expected, why)
    expect(seen["skipped"], "step_skipped").equals(pattern, why)
    growing = {"init_scale": scales[0], "growth_interval": 1}
    batches = drawn_batches(draw, count=3)
    seen = observe(
        lab04.train_steps, state=state, batches=batches, dtype=torch.bfloat16, lr=0.1, scalers={"0": growing}
    )
    expected = [scales[0] * 2.0**step for step in (1, 2, 3)]
    expect(seen["scales"], "loss scales of a bfloat16 trainer").equals(expected, f"{why}, whatever the dtype")


def test_step_clips_if_asked(observe, draw):
    state, batches = drawn_state(draw), drawn_batches(draw, count=2)
    for limit in draw.shuffled((draw.number(0.05, 0.15), 0.0)):
        seen = observe(
            lab04.train_steps,
            state=state,
            batches=batches,
            dtype=torch.float16,
            lr=0.1,
            max_grad_norm=limit,
            scalers=modest(torch.float16),
        )
        _, history = reference_training(state, batches, torch.float16, lr=0.1, scale=MODEST_SCALE, limit=limit)
        why = "train_step passes max_grad_norm on (0.0 too), and it limits the unscaled gradients"
        expect_movement(seen["weights"][-1], state, history[-1], why)


def test_step_runs_in_train_mode(observe, draw):
    weight, modes = draw.normal(3, 8), draw.pattern(6, share=0.5)
    batches = drawn_batches(draw, count=6)
    seen = observe(lab04.modes_in_steps, weight=weight, batches=batches, modes=modes, dtype=torch.bfloat16)
    expect(seen["modes"], "training mode in train_step").equals(
        [True] * 6, "call model.train() at the start of every step"
    )
    rounding = Tolerance("bfloat16 rounding of the layer below", atol=0.03)
    expect(seen["running_mean"], "batch norm's running mean").close_to(
        running_mean(weight, batches), rounding, "batch norm learns in train mode only, once a step"
    )


def test_epoch_loss_is_the_mean_over_samples(observe, draw):
    for dtype in draw.shuffled(FORMATS):
        state = sharp_state(draw)
        data = uneven_epoch(draw, state)
        seen = observe(lab04.train_epochs, state=state, epochs=[data], batch_size=4, dtype=dtype, lr=0.0)
        why = "weight every batch by its number of samples: a short last batch counts less, and is not left out"
        tolerance = FLOAT32 if dtype == torch.float32 else HALF_TRAINING
        expect(seen["results"][0]["loss"], "loss").close_to(mean_loss(state, data, dtype), tolerance, why)


def test_epoch_trains_on_every_batch(observe, draw):
    state, data = drawn_state(draw), [draw.normal(10, 8), draw.integers(10, high=3)]
    batches = [[part[start : start + 4] for part in data] for start in (0, 4, 8)]
    for limit in draw.shuffled((None, draw.number(0.05, 0.15), 0.0)):
        seen = observe(
            lab04.train_epochs,
            state=state,
            epochs=[data],
            batch_size=4,
            dtype=torch.bfloat16,
            lr=0.1,
            max_grad_norm=limit,
        )
        _, history = reference_training(state, batches, torch.bfloat16, lr=0.1, limit=limit)
        why = "train_epoch makes one train_step of every batch, with the max_grad_norm that it was given"
        expect_movement(seen["weights"], state, history[-1], why)


def test_epoch_counts_every_step(observe, draw):
    state, pattern = drawn_state(draw), draw.pattern(11)
    batches = linear_batches(draw, pattern)
    data = [torch.cat([batch[part] for batch in batches]) for part in (0, 1)]
    init_scale = 2.0 ** draw.integer(8, 11)
    seen = observe(
        lab04.train_epochs, state=state, epochs=[data], batch_size=4, dtype=torch.float16, lr=1e-6, criterion="linear",
        scaler={"init_scale": init_scale},
    )  # fmt: skip
    result = seen["results"][0]
    expect(result["total_steps"], "total_steps").equals(11, "skipped steps are steps too: count every batch")
    expect(result["skipped_steps"], "skipped_steps").equals(
        sum(pattern), "count the steps that train_step reports as skipped"
    )
    expect(seen["scale"], "loss scale at the end").close_to(
        init_scale * 0.5 ** sum(pattern), EXACT, "the scaler lives through the epoch and is updated in every step"
    )
    losses, _ = reference_training(state, batches, torch.float32, 0.0, "linear")
    rounding = Tolerance("float16 rounding of the outputs", rtol=0.02, atol=0.02 * data[1].abs().mean().item())
    expect(result["loss"], "loss").close_to(
        sum(losses) / 11, rounding, "a skipped step's loss counts as long as it is finite"
    )


def test_infinite_losses_are_left_out(observe, draw):
    state, good = drawn_state(draw), linear_batches(draw, [False] * 2)
    losses, _ = reference_training(state, good, torch.float32, 0.0, "linear")
    bad = [infinite_batch(draw, value) for value in (INF, -INF, NAN)]
    epochs = draw.shuffled([("mixed", [*good, *bad]), ("good", good), ("bad", bad)])
    shuffled = [draw.shuffled(batches) for _, batches in epochs]
    data = [[torch.cat([batch[part] for batch in batches]) for part in (0, 1)] for batches in shuffled]
    seen = observe(
        lab04.train_epochs,
        state=state,
        epochs=data,
        batch_size=4,
        dtype=torch.float32,
        lr=0.0,
        criterion="linear",
        scaler={"init_scale": 1024.0},
    )
    for (name, batches), result in zip(epochs, seen["results"], strict=True):
        why = "leave a batch with an inf or nan loss, and its samples, out of the mean; nan if no batch is left"
        expected = math.nan if name == "bad" else sum(losses) / 2
        expect(result["loss"], f"loss of the {name} epoch").close_to(expected, FLOAT32, why)
        expect(result["total_steps"], f"total_steps of the {name} epoch").equals(len(batches), "they are steps too")
    expect(seen["scale"], "loss scale at the end").close_to(
        1024.0 * 0.5**6,
        EXACT,
        "a batch with an infinite loss takes its step too: it is skipped, and the scale backs off",
    )


def test_sampler_is_told_the_epoch(observe, draw):
    state, data = drawn_state(draw), [draw.normal(4, 8), draw.integers(4, high=3)]
    numbers = draw.shuffled([0, draw.integer(1, 10**6), draw.integer(1, 10**6)])
    seen = observe(
        lab04.train_epochs, state=state, epochs=[data] * 3, batch_size=4, dtype=torch.bfloat16, lr=0.0, numbers=numbers
    )
    why = "call sampler.set_epoch(epoch) before the loader is iterated over, in every epoch, the first one too"
    expect(seen["told"], "the sampler's epoch when its iteration began").equals(numbers, why)


def test_empty_loaders_are_refused(observe, draw):
    state = sharp_state(draw)
    sets = draw.shuffled([uneven_epoch(draw, state), [torch.zeros(0, 8), torch.zeros(0, dtype=torch.int64)]])
    trained = observe(lab04.train_epochs, state=state, epochs=sets, batch_size=4, dtype=torch.float32, lr=0.0)
    evaluated = observe(lab04.evaluations, state=state, sets=sets, batch_size=4, dtype=torch.float32)
    for index, data in enumerate(sets):
        train, evaluate = trained["results"][index], evaluated["losses"][index]
        if len(data[0]) == 0:
            expect_value_error(train, "train_epoch on an empty loader", [])
            expect_value_error(evaluate, "evaluate on an empty loader", [])
        else:
            loss = mean_loss(state, data, torch.float32)
            expect(train["loss"], "loss of train_epoch").close_to(
                loss, HALF_TRAINING, "a loader that is not empty gives the mean over samples"
            )
            expect(evaluate, "loss of evaluate").close_to(
                loss,
                HALF_TRAINING,
                "a loader that is not empty gives the mean over samples, in the trainer's precision",
            )


def test_evaluate_gives_the_mean_over_samples(observe, draw):
    state = sharp_state(draw)
    data = uneven_epoch(draw, state)
    for dtype in draw.shuffled(FORMATS):
        seen = observe(lab04.evaluations, state=state, sets=[data], batch_size=4, dtype=dtype)
        why = "weight every batch by its number of samples: a short last batch counts less, and is not left out"
        tolerance = FLOAT32 if dtype == torch.float32 else HALF_TRAINING
        expect(seen["losses"][0], "evaluate()").close_to(mean_loss(state, data, dtype), tolerance, why)


def test_evaluate_measures_with_the_criterion(observe, draw):
    state, batches = drawn_state(draw), linear_batches(draw, draw.pattern(3))
    seen = observe(lab04.evaluations, state=state, sets=batches, batch_size=2, dtype=torch.float16, criterion="linear")
    losses, _ = reference_training(state, batches, torch.float32, 0.0, "linear")
    for number, (_, targets) in enumerate(batches):
        rounding = Tolerance("float16 rounding of the outputs", atol=0.005 * targets.abs().max().item())
        why = "the criterion gets outputs and targets as they are; float targets stay float32"
        expect(seen["losses"][number], f"evaluate() of data set {number}").close_to(losses[number], rounding, why)


def test_evaluate_computes_in_the_dtype(observe, draw):
    state, data = drawn_state(draw), [draw.normal(4, 8), draw.integers(4, high=3)]
    for dtype in draw.shuffled(FORMATS):
        seen = observe(lab04.evaluations, state=state, sets=[data], batch_size=4, dtype=dtype)
        expected = linear_in(dtype, data[0], state["0.weight"]) + state["0.bias"].double()
        tolerance = FLOAT32 if dtype == torch.float32 else HALF_LINEAR
        expect(seen["hidden"], "the first Linear in evaluate").close_to(
            expected,
            tolerance,
            dtype=dtype,
            why="evaluate in the precision that was trained in, or the losses are not comparable",
        )


def test_evaluate_leaves_the_model_alone(observe, draw):
    weight, data = draw.normal(3, 8), [draw.normal(7, 8), draw.integers(7, high=3)]
    modes, dtype = draw.pattern(8, share=0.5), draw.choice(FORMATS)
    seen = observe(lab04.evaluation_leaves_behind, weight=weight, data=data, modes=modes, dtype=dtype)
    expect(seen["during"], "training mode in evaluate").equals(
        [False] * 24, "call model.eval(): no dropout, no batch statistics"
    )
    expect(seen["after"], "training mode after evaluate").equals(
        modes, "put back the mode that the model was in before"
    )
    expect(seen["recording"], "gradients are recorded").equals(
        [False] * 24, "evaluate under no_grad: it needs no graph"
    )
    expect(seen["weight"], "weight").close_to(weight, EXACT, "evaluation must not train")
    expect(seen["trainable"], "requires_grad").equals(
        [True, False, False], "what is frozen stays frozen, and the rest not"
    )
    expect(seen["running_mean"], "batch norm's running mean").close_to(
        weight[:, 0], EXACT, "in eval mode batch norm learns nothing"
    )


def test_scaler_state_is_reported(observe, draw):
    pattern = [False, *draw.pattern(5), *[False] * draw.integer(1, 3)]
    on = {
        "init_scale": 2.0 ** draw.integer(8, 12),
        "growth_factor": draw.choice((2.0, 4.0)),
        "backoff_factor": 0.25,
        "growth_interval": draw.integer(50, 90),
    }
    settings = draw.shuffled([on, {"enabled": False}])
    seen = observe(
        lab04.scaler_states, state=drawn_state(draw), batches=linear_batches(draw, pattern), settings=settings
    )
    good = pattern[::-1].index(True)
    expected = {"enabled": True, "scale": on["init_scale"] * 0.25 ** sum(pattern), "growth_tracker": good}
    expected |= {name: on[name] for name in ("growth_factor", "backoff_factor", "growth_interval")}
    for one, state in zip(settings, seen, strict=True):
        if one is on:
            expect(state, "get_scaler_state()").equals(
                expected, "report what the scaler holds now, tracker and settings too"
            )
        else:
            shown = {name: state.get(name) for name in ("enabled", "growth_tracker")}
            expect(shown, "get_scaler_state() of a disabled scaler").equals(
                {"enabled": False, "growth_tracker": 0},
                "report a scaler that is off too: its own state_dict() is empty",
            )
            expect(state.get("scale"), "its scale").close_to(1.0, EXACT, "a disabled scaler multiplies by 1")


def test_saved_state_continues_the_training(observe, draw):
    state, head, counted = drawn_state(draw), [False, *draw.pattern(4), True], draw.integer(1, 2)
    pattern = [*head, False, False, False, True, *draw.pattern(3)]  # the scale grows once, by a count that began before
    batches, stop = linear_batches(draw, pattern), len(head) + counted
    scaler = {"init_scale": 2.0 ** draw.integer(10, 12), "growth_interval": 3, "growth_factor": 2.0}
    seen = observe(lab04.interrupted_training, state=state, batches=batches, stop=stop, scaler=scaler, lr=1e-3)
    good = [batch for batch, bad in zip(batches, pattern, strict=True) if not bad]
    _, history = reference_training(state, good, torch.float16, 1e-3, "linear", scale=256.0)
    expect_movement(
        seen["weights"],
        state,
        history[-1],
        "weights and loss scale are both restored: with a new scale, other steps are skipped",
    )
    scale = scales_after(pattern, scaler["init_scale"], 2.0, 0.5, 3)[-1]
    why = "loss scale and growth tracker belong in the checkpoint: without them a resumed run skips or creeps again"
    expect(seen["scaler"].get("scale"), "loss scale at the end").close_to(scale, EXACT, why)
    expect(seen["skipped"], "step_skipped").equals(pattern, why)


def test_saved_state_holds_buffers(observe, draw):
    weight, batches = draw.normal(3, 8), drawn_batches(draw, count=4)
    seen = observe(lab04.restored_buffers, weight=weight, batches=batches)
    rounding = Tolerance("bfloat16 rounding of the layer below", atol=0.03)
    why = "a model's state is more than its parameters: model.state_dict() has the buffers too"
    expect(seen, "batch norm's running mean after loading").close_to(running_mean(weight, batches), rounding, why)


def test_milestone_mixed_precision_training(observe, draw, record_property):
    torch.manual_seed(draw.integer(0, 2**31))
    state, (images, labels) = plain(SimpleModel(64, 128, 10, num_layers=3)), digits()
    chosen = torch.randperm(len(labels))
    train, held_out = chosen[:1400], chosen[1400:]
    names = torch.randperm(10)  # every digit gets another label, so that nothing learnt before helps
    seen = observe(
        lab04.milestone,
        state=state,
        images=images[train],
        labels=names[labels[train]],
        order=draw.integers(60, 256, high=1400),
        init_scale=2.0**24,
    )
    model = lab04.small_model(seen["weights"])
    accuracy = (model(images[held_out]).argmax(dim=1) == names[labels[held_out]]).float().mean().item()
    why = "the pieces are there, but together they do not train: run the steps before this one again"
    expect(1.0 - accuracy, "share of unseen digits that are read wrongly").less_than(0.15, why)
    expect(sum(seen["losses"][-5:]) / 5, "loss at the end").less_than(0.5 * seen["losses"][0], why)
    skips = sum(seen["skipped"])
    expect(seen["scale"], "loss scale at the end").close_to(
        2.0**24 * 0.5**skips, EXACT, "every skip halves the scale, and nothing else"
    )
    expect(skips, "skipped steps").more_than(0, "a scale of 2^24 overflows float16: steps are skipped, and survived")
    share = seen["peak_bytes"]["float16"] / seen["peak_bytes"]["float32"]
    expect(share, "peak memory of a step, against float32").less_than(1.0, "float16 halves the activations")
    banner = milestone_banner(torch.float16, True, seen["losses"][0], seen["losses"][-1], skips, 1.0 - share)
    record_property("note", banner)


# Step 4: operations that stay in float32


def dtypes_and_regions(draw) -> list[tuple[torch.dtype, torch.dtype | None]]:
    """The dtype of x and the autocast region of three calls; on float32 x, whatever follows autocast shows most."""
    one, other = draw.shuffled(HALVES)
    return draw.shuffled([(torch.float32, one), (one, other), (other, None)])


WIDE_THEN_ROUNDED = Tolerance("computed in float32, then rounded once", ulps=1.01, rtol=2e-6, atol=2e-6)


SMALL_PROBABILITIES = Tolerance("one step of float16 below 6.1e-5 is 6e-8", atol=1.3e-7)
NORMED_THEN_ROUNDED = Tolerance(
    "the float32 mean of values below 90 is off by 2^-18, then rounded once", ulps=1.01, atol=1e-5
)


def expect_wide(
    seen: object, what: str, expected: Tensor, dtype: torch.dtype, why: str, tolerance: Tolerance = WIDE_THEN_ROUNDED
) -> None:
    if isinstance(seen, torch.Tensor) and seen.shape == expected.shape and seen.dtype != dtype:
        why = "computed, and handed back in another dtype: the result of an island goes back to the dtype of x"
    expect(seen, what).close_to(expected, tolerance, why, dtype=dtype)


def test_layer_norm_computes_in_float32(observe, draw):
    for dtype, region in dtypes_and_regions(draw):
        mean = draw.number(60.0, 90.0) if dtype == torch.float32 else draw.number(20.0, 40.0)
        x = (draw.normal(4, 33) * 3.0 + mean).to(dtype)
        seen = observe(lab04.layer_norm, x=x, shape=33, arguments={}, region=region)
        why = f"mean and variance of values around {mean:.0f} need float32: cast x first, leave autocast, cast back"
        expect_wide(seen, "fp32_layer_norm(x)", layer_norm64(x, (33,)), dtype, why, NORMED_THEN_ROUNDED)


def test_layer_norm_survives_large_values(observe, draw):
    x = (draw.away_from_zero(2, 512, low=250.0, high=350.0)).half()
    seen = observe(lab04.layer_norm, x=x, shape=512, arguments={}, region=draw.choice(HALVES))
    why = "the squares of values around 300 exceed float16's 65504: the variance is computed in float32"
    expect_wide(seen, "fp32_layer_norm(x)", layer_norm64(x, (512,)), torch.float16, why)


def test_layer_norm_adds_eps_inside_the_root(observe, draw):
    dtype, eps = draw.choice(FORMATS), draw.number(2e-8, 9e-8)
    x = (draw.normal(3, 5) * 2.0**-12).to(dtype)
    seen = observe(lab04.layer_norm, x=x, shape=[5], arguments={"eps": eps})
    why = "sqrt(variance + eps) with the biased variance (divided by n), in float32: an eps of 5e-8 is zero in float16"
    expect_wide(seen, "fp32_layer_norm(x)", layer_norm64(x, (5,), eps=eps), dtype, why)


def test_layer_norm_takes_shapes_and_affine(observe, draw):
    dtype = draw.choice(HALVES)
    shapes = draw.shuffled([((6,), 6), ((4, 6), [4, 6]), ((6,), [6])])
    for (shape, given), affine_dtype in zip(shapes, (dtype, torch.float32, dtype), strict=True):
        x = draw.normal(3, 4, 6, dtype=dtype)
        weight, bias = draw.normal(*shape, dtype=affine_dtype), draw.normal(*shape, dtype=affine_dtype)
        for affine in ({"weight": weight, "bias": bias}, {"bias": bias}, {"weight": weight}):
            seen = observe(lab04.layer_norm, x=x, shape=given, arguments=affine)
            why = "normalize over all dimensions of normalized_shape (an int is the last), then weight and bias"
            expect_wide(seen, f"fp32_layer_norm(x, {given})", layer_norm64(x, shape, **affine), dtype, why)


def test_softmax_computes_in_float32(observe, draw):
    for dtype, region in dtypes_and_regions(draw):
        x = (draw.normal(4, 40) * 4.0).to(dtype)
        seen = observe(lab04.softmax, x=x, arguments={}, region=region)
        why = "half precision rounds x - max, and exp multiplies the error: compute in float32, return x's dtype"
        expect_wide(seen, "fp32_softmax(x)", torch.softmax(x.double(), dim=-1), dtype, why)


def test_softmax_survives_large_logits(observe, draw):
    dtype = draw.choice(FORMATS)
    x = draw.normal(4, 12) * 3.0 + torch.tensor(draw.shuffled([-300.0, 0.0, 200.0, 5000.0]))[:, None]
    x[draw.integer(0, 3), draw.integer(0, 11)] += 500.0
    x = x.to(dtype)
    seen = observe(lab04.softmax, x=x, arguments={}, region=draw.choice(HALVES))
    why = "exp(200) is beyond float32: subtract the largest logit first"
    expect_wide(seen, "fp32_softmax(x)", torch.softmax(x.double(), dim=-1), dtype, why)


def test_softmax_of_a_long_row(observe, draw):
    x = draw.normal(1, 80000, dtype=torch.float16) * 0.02
    seen = observe(lab04.softmax, x=x, arguments={}, region=draw.choice((None, *HALVES)))
    why = "the sum of 80000 exponentials is beyond float16's 65504: sum in float32"
    expect_wide(seen, "fp32_softmax(x)", torch.softmax(x.double(), dim=-1), torch.float16, why, SMALL_PROBABILITIES)


def test_softmax_sums_along_the_dimension(observe, draw):
    for dim in draw.shuffled((0, 1, 2, -2)):
        x = draw.normal(3, 4, 5, dtype=draw.choice(FORMATS))
        seen = observe(lab04.softmax, x=x, arguments={"dim": dim})
        expect_wide(
            seen,
            f"fp32_softmax(x, dim={dim})",
            torch.softmax(x.double(), dim=dim),
            x.dtype,
            "`dim` is the dimension that sums to one",
        )


def expect_loss(seen: object, what: str, expected: Tensor, why: str) -> None:
    tolerance = Tolerance("float32 rounding of logits below 16 is up to 2^-20, twice", rtol=1e-5, atol=2e-6)
    expect(seen, what).close_to(expected, tolerance, why, dtype=torch.float32)


def test_cross_entropy_computes_in_float32(observe, draw):
    for dtype, region in dtypes_and_regions(draw):
        logits, target = draw.normal(5, 7, dtype=dtype) * 3, draw.integers(5, high=7)
        seen = observe(lab04.cross_entropy, logits=logits, target=target, arguments={}, region=region)
        why = "logits in (not probabilities), float32 inside, and the float32 loss returned as it is"
        expect_loss(seen, "fp32_cross_entropy(logits)", F.cross_entropy(logits.double(), target), why)


def test_cross_entropy_survives_extreme_logits(observe, draw):
    sizes, wrong = draw.away_from_zero(6, low=40000.0, high=60000.0), torch.tensor(draw.pattern(6))
    target = ((sizes < 0) ^ wrong).long()  # the loss of a right answer is 0, that of a wrong one has to be seen
    logits = torch.stack([sizes, -sizes], dim=1).half()
    seen = observe(
        lab04.cross_entropy, logits=logits, target=target, arguments={"reduction": "none"}, region=draw.choice(HALVES)
    )
    why = "the difference of two float16 logits can exceed 65504: subtract in float32"
    expect_loss(seen, "fp32_cross_entropy(logits)", F.cross_entropy(logits.double(), target, reduction="none"), why)


def test_cross_entropy_of_confident_predictions(observe, draw):
    dtype, target = draw.choice(HALVES), draw.integers(6, high=4)
    logits = (F.one_hot(target, 4) * draw.number(7.0, 9.0) + draw.normal(6, 4) * 0.5).to(dtype)
    seen = observe(lab04.cross_entropy, logits=logits, target=target, arguments={"reduction": "none"})
    why = "the log of a probability near 1 vanishes in half precision: log_softmax in float32"
    expect_loss(seen, "fp32_cross_entropy(logits)", F.cross_entropy(logits.double(), target, reduction="none"), why)


def test_cross_entropy_weighs_and_reduces(observe, draw):
    dtype = draw.choice(HALVES)
    for reduction in draw.shuffled(("mean", "sum", "none")):
        logits, target = draw.normal(6, 5, dtype=dtype), draw.integers(6, high=5)
        weight = draw.away_from_zero(5, low=0.2, high=3.0).abs()
        weight = weight.to(dtype) if reduction == "mean" else weight
        arguments = {"weight": weight, "reduction": reduction}
        seen = observe(lab04.cross_entropy, logits=logits, target=target, arguments=arguments)
        expected = F.cross_entropy(logits.double(), target, weight=weight.double(), reduction=reduction)
        why = "pass weight (used in float32) and reduction on; the weighted mean divides by the weights of the targets"
        expect_loss(seen, f"fp32_cross_entropy(..., {reduction})", expected, why)


def test_gradients_flow_through_float32_operations(observe, draw):
    x, cotangent, target, weight = draw.normal(4, 6), draw.normal(4, 6), draw.integers(4, high=6), draw.normal(6)
    seen = observe(lab04.sensitive_gradients, x=x, cotangent=cotangent, target=target, weight=weight)
    leaf, gain = x.double().requires_grad_(), weight.double().requires_grad_()
    losses = {
        "layer_norm": (layer_norm64(leaf, (6,), gain) * cotangent.double()).sum(),
        "softmax": (torch.softmax(leaf, dim=-1) * cotangent.double()).sum(),
        "cross_entropy": F.cross_entropy(leaf, target),
    }
    why = "the cast to float32 is part of the graph: no detach, .data or no_grad on the way"
    for name, loss in losses.items():
        (gradient,) = torch.autograd.grad(loss, leaf, retain_graph=True)
        expect(seen[name], f"gradient of x through {name}").close_to(gradient, FLOAT32, why, dtype=torch.float32)
    (gradient,) = torch.autograd.grad(losses["layer_norm"], gain)
    expect(seen["weight"], "gradient of layer norm's weight").close_to(gradient, FLOAT32, why, dtype=torch.float32)
    expect(seen["bias"], "gradient of layer norm's bias").close_to(cotangent.sum(dim=0), FLOAT32, why)


# Step 5: many processes


def on_ranks(batch: list[Tensor]) -> list[list[Tensor]]:
    """A global batch, half of it for each of two ranks."""
    half = len(batch[0]) // 2
    return [[part[:half] for part in batch], [part[half:] for part in batch]]


def observe_on_ranks(observe, scenario, cases: list[dict]) -> list[list]:
    """What `scenario` gives for each case: the values of the two ranks."""
    return [observe(scenario, ranks=2, **case) for case in cases]


def expect_training_like_one_process(observe, draw, *strategies: str, limit: float | None = None) -> None:
    """Both ranks end with the weights of one process that trains on the global batches."""
    dtype, state, batches = draw.choice(FORMATS), drawn_state(draw), drawn_batches(draw, count=3, size=8)
    other = drawn_state(draw)
    common = {
        "batches": [on_ranks(batch) for batch in batches],
        "dtype": dtype,
        "lr": 0.1,
        "scaler": {"init_scale": MODEST_SCALE, "enabled": dtype == torch.float16},
        "max_grad_norm": limit,
    }
    cases = [
        common | {"strategy": strategy, "states": [state, other if strategy == "ddp" else state]}
        for strategy in strategies  # DDP starts all ranks from rank 0's weights
    ]
    scale = MODEST_SCALE if dtype == torch.float16 else 1.0
    _, history = reference_training(state, batches, dtype, lr=0.1, scale=scale, limit=limit)
    why = "with the same global batch, two ranks train like one process: gradients are averaged over all ranks"
    if limit is not None:
        why += ", and clipped by the norm of the whole gradient, not of a rank's shard"
    for seen in observe_on_ranks(observe, lab04.train_on_ranks, cases):
        for rank in (0, 1):
            expect_movement(seen[rank]["weights"], state, history[-1], f"rank {rank}: {why}")
        for name, weight in seen[0]["weights"].items():
            expect(seen[1]["weights"][name], f"{name} on rank 1").close_to(
                weight, EXACT, "all ranks hold equal weights"
            )


def test_ddp_trains_like_one_process(observe, draw):
    expect_training_like_one_process(observe, draw, "ddp")


def test_fsdp_trains_like_one_process(observe, draw):
    expect_training_like_one_process(observe, draw, "fsdp")


def test_clipping_takes_the_norm_of_all_shards(observe, draw):
    strategies = draw.shuffled(("ddp", "fsdp"))
    expect_training_like_one_process(observe, draw, *strategies, limit=draw.number(0.05, 0.15))


def expect_common_skips(observe, draw, strategy: str) -> None:
    """Overflows on one rank only, float16; then nan on one rank only, bfloat16 without a scaler."""
    state, init_scale = drawn_state(draw), 2.0 ** draw.integer(9, 11)
    cases, patterns, histories = [], [], []
    for dtype, bad_target in ((torch.float16, 1e6), (torch.bfloat16, NAN)):
        bad_on = draw.shuffled((None, None, 0, 1))
        good = linear_batches(draw, [False] * len(bad_on), size=8)
        split = [on_ranks([part.clone() for part in batch]) for batch in good]
        for step, rank in enumerate(bad_on):
            if rank is not None:
                split[step][rank][1][draw.integer(0, 3), draw.integer(0, 2)] = bad_target
        scaler = {"init_scale": init_scale, "enabled": dtype == torch.float16}
        cases.append(
            {"strategy": strategy, "states": [state, state], "batches": split, "dtype": dtype, "lr": 1e-3}
            | {"criterion": "linear", "scaler": scaler}
        )
        patterns.append([rank is not None for rank in bad_on])
        stepped = [batch for batch, rank in zip(good, bad_on, strict=True) if rank is None]
        histories.append(reference_training(state, stepped, dtype, 1e-3, "linear", scale=256.0)[1])
    why = "inf or nan on one rank: all ranks skip and back off alike, decided by gradients that all have seen"
    observed = observe_on_ranks(observe, lab04.train_on_ranks, cases)
    for case, pattern, history, seen in zip(cases, patterns, histories, observed, strict=True):
        for rank in (0, 1):
            expect(seen[rank]["skipped"], f"step_skipped on rank {rank}").equals(pattern, why)
            if case["scaler"]["enabled"]:
                scales = scales_after(pattern, init_scale, 2.0, 0.5, 2000)
                expect(seen[rank]["scales"], f"loss scales on rank {rank}").equals(scales, why)
            expect_movement(seen[rank]["weights"], state, history[-1], f"rank {rank}: {why}")


def test_ddp_ranks_skip_together(observe, draw):
    expect_common_skips(observe, draw, "ddp")


def test_fsdp_ranks_skip_together(observe, draw):
    expect_common_skips(observe, draw, "fsdp")


def test_overflow_in_one_shard_skips_on_all(observe, draw):
    cases, expected = [], []
    pattern, scale = draw.pattern(4), 2.0 ** draw.integer(9, 11)
    for rows in draw.shuffled((1, 3)):  # of one row rank 1 holds nothing, of three rank 0 holds two
        weight, inputs = draw.normal(rows, 8), [[draw.normal(4, 8) for _ in range(2)] for _ in pattern]
        targets = [[draw.away_from_zero(4, rows) for _ in range(2)] for _ in pattern]
        weights = [weight]
        for step, bad in enumerate(pattern):
            moved = 0.0
            if bad:
                targets[step][draw.integer(0, 1)][:, draw.integer(0, rows - 1)] = 1e6
            else:
                pairs = zip(inputs[step], targets[step], strict=True)
                moved = sum(target.T @ values / 4 for values, target in pairs) / 2
            weights.append(weights[-1] - moved)
        cases.append({"weight": weight, "inputs": inputs, "targets": targets, "init_scale": scale})
        expected.append(weights[1:])
    rounding = Tolerance("float16 rounding of gradients of size 5, in four steps", atol=0.05)
    why = "the inf lies in one rank's shard: scaled_backward has to ask the whole gradient, not the local part of it"
    for weights, seen in zip(expected, observe_on_ranks(observe, lab04.sharded_step, cases), strict=True):
        for rank in (0, 1):
            expect(seen[rank]["stepped"], f"returned on rank {rank}").equals([not bad for bad in pattern], why)
            scales = scales_after(pattern, scale, 2.0, 0.5, 2000)
            expect(seen[rank]["scales"], f"loss scales on rank {rank}").equals(scales, why)
            for step, value in enumerate(weights):
                expect(seen[rank]["weights"][step], f"weight after step {step} on rank {rank}").close_to(
                    value, rounding, why
                )


def test_fsdp_shards_what_ddp_repeats(observe, draw):
    state, (batch,) = drawn_state(draw), drawn_batches(draw, count=1)
    count = sum(value.numel() for value in state.values())
    cases = [{"strategy": one, "state": state, "batch": batch} for one in draw.shuffled(("ddp", "fsdp"))]
    for case, seen in zip(cases, observe_on_ranks(observe, lab04.held_by_rank, cases), strict=True):
        strategy = case["strategy"]
        for name in ("parameters", "gradients", "momentum"):
            for rank in (0, 1):
                share = seen[rank][name].numel() / count
                if strategy == "fsdp":
                    why = "fully_shard splits every parameter, its gradient and its optimizer state over the ranks"
                    expect(share, f"share of the {name} on rank {rank}").less_than(0.6, why)
                else:
                    expect(share, f"share of the {name} on rank {rank}").equals(1.0, "every DDP rank holds all of them")
        held = torch.cat([one["parameters"] for one in seen]) if strategy == "fsdp" else seen[1]["parameters"]
        flat = torch.cat([value.reshape(-1) for value in state.values()])
        why = "together the ranks hold the float32 master weights, unrounded, each once"
        expect(held.sort().values, f"parameters of {strategy}").close_to(flat.sort().values, EXACT, why)


def test_fsdp_computes_in_the_dtype(observe, draw):
    state, inputs = drawn_state(draw), draw.normal(4, 8)
    cases = [{"state": state, "inputs": inputs, "dtype": asked} for asked in draw.shuffled((*FORMATS, None))]
    for case, seen in zip(cases, observe_on_ranks(observe, lab04.sharded_forward, cases), strict=True):
        dtype = case["dtype"] or torch.float16
        expected = linear_in(dtype, inputs, state["0.weight"]) + state["0.bias"].double()
        tolerance = FLOAT32 if dtype == torch.float32 else HALF_LINEAR
        for rank in (0, 1):
            expect(seen[rank], f"the first Linear on rank {rank}").close_to(
                expected, tolerance, dtype=dtype, why="the policy's param_dtype is the dtype that layers compute in"
            )


def test_fsdp_reduces_gradients_in_float32(observe, draw):
    cases, expected = [], []
    for dtype, size in draw.shuffled(((torch.bfloat16, 256.0), (torch.float16, 2048.0))):
        large, small = size + 2.0 * draw.integer(1, 100), 1.0 + draw.integer(1, 100) / 128
        row, column = draw.integer(0, 3), draw.integer(0, 4)
        inputs, targets, gradient = torch.zeros(2, 1, 5), torch.zeros(2, 1, 4), torch.zeros(4, 5)
        inputs[:, 0, column] = 1.0
        targets[0, 0, row], targets[1, 0, row] = large, small
        gradient[row, column] = (large + small) / 2
        cases.append({"weight": draw.normal(4, 5), "inputs": list(inputs), "targets": list(targets), "dtype": dtype})
        expected.append(gradient)
    why = "half precision loses the smaller rank's part of a sum: reduce_dtype=torch.float32"
    for gradient, seen in zip(expected, observe_on_ranks(observe, lab04.sharded_gradient, cases), strict=True):
        for rank in (0, 1):
            expect(seen[rank], f"averaged gradient on rank {rank}").close_to(gradient, FLOAT32, why)


def test_losses_are_means_over_all_ranks(observe, draw):
    state = sharp_state(draw)
    inputs, targets = uneven_epoch(draw, state)
    easy, hard = [inputs[:4], targets[:4]], [inputs[4:], targets[4:]]
    twice = [torch.cat([part, part]) for part in easy]  # two batches on each rank, but 8 and 5 samples
    lost = [torch.full((5, 8), INF), hard[1]]
    cases = [{"state": state, "data": [twice, other], "batch_size": 4} for other in (hard, lost)]
    both, one_lost = observe_on_ranks(observe, lab04.losses_on_ranks, cases)
    loss = mean_loss(state, [torch.cat([twice[part], hard[part]]) for part in (0, 1)], torch.float32)
    why = "the trainer sums losses and samples over all ranks, then divides: a rank knows nothing of the others"
    for rank in (0, 1):
        for function in ("train_epoch", "evaluate"):
            expect(both[rank][function], f"loss of {function} on rank {rank}").close_to(loss, FLOAT32, why)
    loss = mean_loss(state, twice, torch.float32)
    why = "a rank without a finite loss adds nothing to the sums"
    for rank in (0, 1):
        what = f"loss of train_epoch on rank {rank}, all of rank 1's nan"
        expect(one_lost[rank]["train_epoch"], what).close_to(loss, FLOAT32, why)


def test_ddp_reduces_in_buckets(observe, draw):
    state, (batch,) = drawn_state(draw), drawn_batches(draw, count=1, size=8)
    seen = observe(lab04.reductions_in_backward, ranks=2, state=state, batches=on_ranks(batch))
    model = lab04.small_model(state)
    expected = torch.autograd.grad(F.cross_entropy(model(batch[0]), batch[1]), list(model.parameters()))
    for rank in (0, 1):
        expect(seen[rank]["calls"], f"all-reduces of a backward pass on rank {rank}").less_than(
            4, "DistributedDataParallel averages many gradients in one all-reduce, while backward goes on"
        )
        for index, gradient in enumerate(expected):
            expect(seen[rank]["gradients"][index], f"gradient {index} on rank {rank}").close_to(
                gradient, FLOAT32, "backward leaves the average over all ranks"
            )
