"""Step 4, accumulation and batch norm: one behaviour a test, judged by the values that a scenario brought back."""

import itertools

import torch
from torch import Tensor

from labkit.judge.expect import Tolerance, expect, expect_error
from references.build_amp.common import HALVES, scales_after
from references.build_amp.step_4 import (
    Run,
    drawn_images,
    drawn_overflows,
    drawn_scaler,
    drawn_weights,
    drawn_windows,
    flat,
    normalized,
    over_batch,
)
from scenarios.build_amp import step_4 as scenarios

EXACT = Tolerance("nothing is rounded on the way", atol=0.0)
FLOAT32 = Tolerance("float32 rounding over a few small steps", rtol=1e-5, atol=1e-5)


def expect_weights(seen: list, expected: list[Tensor], why: str, tolerance: Tolerance = FLOAT32) -> None:
    for name, index in (("first", 0), ("last", 1), ("spare", 2)):
        expect(seen[index], f"weight of {name!r}").close_to(expected[index], tolerance, why, torch.float32)


def expect_steps(seen: dict, steps: int, skipped: int, why: str) -> None:
    expect(seen["steps"], "[steps, skipped]").equals([steps, skipped], why)


# Accumulation


def test_accumulated_step_is_that_of_one_batch(observe, draw):
    """The batches of a window make the step that all of its samples would make as a single batch."""
    for window in (1, draw.integer(2, 4)):
        weights, windows = drawn_weights(draw), drawn_windows(draw, [window] * draw.integer(2, 4))
        (seen,) = observe(
            scenarios.train, weights=weights, epochs=[flat(windows)], window=window, scaler=drawn_scaler(draw),
            report=["weights"],
        )  # fmt: skip
        why = "each batch's mean loss counts by its share of the window's samples (not of its numbers), then one step"
        expect_weights(seen["weights"], Run(weights, windows).weights[-1], why)


def test_last_window_may_be_shorter(observe, draw):
    """The batches that are left over at the end make a step by themselves."""
    window, full = draw.integer(3, 5), draw.integer(1, 3)
    weights, windows = drawn_weights(draw), drawn_windows(draw, [window] * full + [draw.integer(2, window - 1)])
    short = drawn_windows(draw, [draw.integer(2, window - 1)])
    seen = observe(
        scenarios.train, weights=weights, epochs=[flat(windows), flat(short)], window=window,
        scaler=drawn_scaler(draw), report=["weights", "steps"],
    )  # fmt: skip
    why = "the last window ends with the batches: a step of the samples that it has, also if it is the only one"
    run = Run(weights, windows + short)
    for call, last, steps in ((0, full, full + 1), (1, full + 1, 1)):
        expect_weights(seen[call]["weights"], run.weights[last], why)
        expect_steps(seen[call], steps, 0, why)


def test_every_batch_runs_once_and_is_scaled(observe, draw):
    """Every batch runs once, in order, and what goes backward is its loss times the scale."""
    window = draw.integer(2, 4)
    batches = flat(drawn_windows(draw, [window] * 2, length=3))
    (seen,) = observe(
        scenarios.train, weights=drawn_weights(draw), epochs=[batches], window=window,
        scaler={"class": "StaticLossScaler", "scale": 1024.0}, report=["events"],
    )  # fmt: skip
    passes = [[inputs[0, 0, 0].item(), 1024.0] for inputs, _ in batches]
    forward, backward = ([event[1:] for event in seen["events"] if event[0] == way] for way in ("forward", "backward"))
    expect(forward, "forward passes").equals(passes, "the model runs once for each batch, in their order")
    expect(sorted(backward), "backward passes").equals(sorted(passes), "each loss goes backward once, times the scale")


def test_accumulation_trains_in_train_mode(observe, draw):
    """The model and all of its modules are in train mode, whichever of them were in eval mode before."""
    modes = draw.shuffled([*itertools.product((True, False), repeat=3)])  # of the model, of a layer, and of one in it
    window, weights = draw.integer(2, 3), drawn_weights(draw)
    epochs = [drawn_windows(draw, [window] * draw.integer(1, 2)) for _ in modes]
    seen = observe(
        scenarios.train, weights=weights, epochs=[flat(windows) for windows in epochs], window=window,
        scaler=drawn_scaler(draw), modes=modes, report=["modes", "weights"],
    )  # fmt: skip
    for one, windows, before in zip(seen, epochs, modes, strict=True):
        expect(one["modes"], f"training, of model, layer and layer in it, which were {before}").equals(
            [[True] * 3] * len(flat(windows)), "model.train() comes first, whatever the mode of the model itself"
        )
    run = Run(weights, [window for windows in epochs for window in windows])
    expect_weights(
        seen[-1]["weights"],
        run.weights[-1],
        "the whole model is in train mode, and the steps are those of whole windows",
    )


def test_window_begins_without_old_gradients(observe, draw):
    """A gradient that was there before the call, finite or not, has no part in it."""
    weights, window = drawn_weights(draw), draw.integer(2, 3)
    epochs = [drawn_windows(draw, [window] * 2) for _ in range(2)]
    old = [draw.away_from_zero(*weight.shape) for weight in weights]
    old[draw.integer(0, 2)].view(-1)[0] = draw.choice(scenarios.SPOILS)
    seen = observe(
        scenarios.train, weights=weights, epochs=[flat(windows) for windows in epochs], window=window,
        scaler=drawn_scaler(draw), old=old, report=["weights", "steps"],
    )  # fmt: skip
    why = "older gradients have no part in a window, the first one included; its step is that of its samples alone"
    run = Run(weights, [*epochs[0], *epochs[1]])
    for call, last in ((0, 1), (1, 3)):
        expect_steps(seen[call], 2, 0, why)
        expect_weights(seen[call]["weights"], run.weights[last], why)


def test_overflow_skips_its_window_alone(observe, draw):
    """An inf or nan in the gradient of one batch skips the step of its window; the next one begins clean."""
    settings = {"StaticLossScaler": "scale", "DynamicLossScaler": "init_scale"}
    # Clipping hides a gradient that is too long; a window that is skipped may be the first one or not.
    for kind, clips, first in draw.shuffled(list(itertools.product(settings, (True, False), (True, False)))):
        weights, window = drawn_weights(draw), draw.integer(2, 3)
        pattern, windows = drawn_overflows(draw, [window] * 6, first)
        limit = 0.5 * min(Run(weights, windows).norms) if clips else None
        (seen,) = observe(
            scenarios.train, weights=weights, epochs=[flat(windows)], window=window, limit=limit,
            scaler={"class": kind, settings[kind]: 2.0**12}, report=["weights", "steps"],
        )  # fmt: skip
        why = "a finite loss can have an inf in its gradient: then its whole window is skipped, and nothing else"
        expect_steps(seen, pattern.count(False), pattern.count(True), why)
        expect_weights(seen["weights"], Run(weights, windows, limit).weights[-1], why)


def test_scale_changes_between_windows_only(observe, draw):
    """The scaler is updated once a window, at its end, also if it was skipped."""
    window, interval = draw.integer(2, 4), draw.integer(1, 2)
    pattern, windows = drawn_overflows(draw, [window] * 6)
    pattern += [True]  # a short window, whose update is seen in the scale after the call
    windows += drawn_windows(draw, [draw.integer(1, window - 1)], [draw.integer(1, 3)])
    scale = 2.0 ** draw.integer(8, 14)
    (seen,) = observe(
        scenarios.train, weights=drawn_weights(draw), epochs=[flat(windows)], window=window,
        scaler={"class": "DynamicLossScaler", "init_scale": scale, "growth_interval": interval},
        report=["events", "scale"],
    )  # fmt: skip
    scales = [scale, *scales_after(pattern, scale, interval=interval)]
    passes = [
        [inputs[0, 0, 0].item(), scale] for group, scale in zip(windows, scales, strict=False) for inputs, _ in group
    ]
    why = "all batches of a window share one scale, for their gradients are added up: update() comes once, at its end"
    for way in ("forward", "backward"):
        found = [event[1:] for event in seen["events"] if event[0] == way]
        expect(sorted(found), f"{way} passes: [first feature, scale]").equals(sorted(passes), why)
    expect(seen["scale"], "scale after the call").equals(scales[-1], why)


def test_losses_are_scaled_before_backward(observe, draw):
    """Gradients that are too small for float16 arrive, because the loss is multiplied by the scale first."""
    window, factor = draw.integer(2, 3), 2.0**-30
    weights, windows = drawn_weights(draw), drawn_windows(draw, [window])
    (seen,) = observe(
        scenarios.train, weights=weights, epochs=[flat(windows)], window=window, factor=factor, through_half=True,
        scaler=draw.choice([{"class": "StaticLossScaler", "scale": 2.0**24},
                            {"class": "DynamicLossScaler", "init_scale": 2.0**24}]),
        report=["weights"],
    )  # fmt: skip
    tolerance = Tolerance("the scaled gradients pass through float16: 2^-11 of each", rtol=1e-5, atol=0.02)
    why = "what goes backward is the loss times the scale, by its share of the window's samples"
    expect_weights(seen["weights"], Run(weights, windows).weights[-1], why, tolerance)


def test_accumulation_clips_the_gradient_of_a_window(observe, draw):
    """max_grad_norm limits the 2-norm of the true gradient of a whole window; below the limit nothing changes."""
    for clips in draw.shuffled((True, False)):
        weights, window = drawn_weights(draw), draw.integer(3, 4)
        windows = drawn_windows(draw, [window] * 2 + [draw.integer(1, 2)])
        norms = Run(weights, windows).norms
        limit = draw.number(0.3, 0.6) * min(norms) if clips else draw.number(1.1, 1.3) * max(norms)
        (seen,) = observe(
            scenarios.train, weights=weights, epochs=[flat(windows)], window=window, limit=limit,
            scaler=drawn_scaler(draw), report=["weights"],
        )  # fmt: skip
        why = "unscale when the window is complete, then clip once by the 2-norm of all gradients together, then step"
        if not clips:
            why = "the window's gradient is within the limit and must be left alone (measure it unscaled)"
        expect_weights(seen["weights"], Run(weights, windows, limit).weights[-1], why)


def test_accumulation_takes_zero_for_a_limit(observe, draw):
    """A limit of 0.0 leaves the weights where they are."""
    weights, window = drawn_weights(draw), draw.integer(2, 3)
    windows = drawn_windows(draw, [window] * 2)
    (seen,) = observe(
        scenarios.train, weights=weights, epochs=[flat(windows)], window=window, limit=0.0,
        scaler=drawn_scaler(draw), report=["weights", "steps"],
    )  # fmt: skip
    why = "`if max_grad_norm:` takes 0.0 for no limit; the step is made, with a gradient of zero"
    expect_weights(seen["weights"], weights, why)
    expect_steps(seen, 2, 0, why)


def test_gradients_outside_the_optimizer_do_not_count(observe, draw):
    """A gradient of a parameter that the optimizer does not have skips no step, and is no part of the norm."""
    for foreign in draw.shuffled((float("inf"), 1e6)):
        weights, window = drawn_weights(draw), draw.integer(2, 3)
        windows = drawn_windows(draw, [window] * 2)
        limit = draw.number(1.1, 1.3) * max(Run(weights, windows, first=False).norms)
        (seen,) = observe(
            scenarios.train, weights=weights, epochs=[flat(windows)], window=window, limit=limit, foreign=foreign,
            scaler=drawn_scaler(draw), report=["weights", "steps"],
        )  # fmt: skip
        why = "look at the parameters of the optimizer, not at those of the model"
        expect_steps(seen, 2, 0, why)
        expect_weights(seen["weights"], Run(weights, windows, first=False).weights[-1], why)


def test_accumulation_reports_the_mean_loss(observe, draw):
    """The reported loss is the unscaled mean over all samples, those of skipped windows too."""
    weights, window = drawn_weights(draw), draw.integer(2, 4)
    _, windows = drawn_overflows(draw, [window] * 3 + [draw.integer(1, 2)])
    (seen,) = observe(
        scenarios.train, weights=weights, epochs=[flat(windows)], window=window,
        scaler={"class": "DynamicLossScaler", "init_scale": 2.0**12}, report=["loss", "keys"],
    )  # fmt: skip
    expect(seen["loss"], "loss").close_to(
        Run(weights, windows).loss, FLOAT32, "sum the losses times their samples, unscaled; divide once, at the end"
    )
    expect(seen["keys"], "keys").equals(["loss", "skipped", "steps"], "steps, skipped and loss are asked for")


def test_accumulation_refuses_bad_arguments(observe, draw):
    """A window below 1, or no batches: a ValueError, and nothing has changed."""
    weights, old = drawn_weights(draw), drawn_weights(draw)
    windows = draw.shuffled((0, -1, -draw.integer(2, 9)))
    seen = observe(
        scenarios.refused, weights=weights, old=old, batches=flat(drawn_windows(draw, [3])), windows=windows, scale=64.0
    )
    for what, one in zip([*(f"window {window}" for window in windows), "no batches"], seen, strict=True):
        why = f"{what}: raise a ValueError before anything else, the model's mode and its gradients included"
        expect_error(one["raised"], what, "ValueError", why)
        for name, index in (("first", 0), ("last", 1), ("spare", 2)):
            expect(one["weights"][index], f"{what}: weight of {name!r}").close_to(weights[index], EXACT, why)
            expect(one["gradients"][index], f"{what}: gradient of {name!r}").close_to(old[index], EXACT, why)
        expect([one["state"], one["ran"], one["training"]], f"{what}: optimizer state, passes, train mode").equals(
            [0, 0, False], why
        )


# Batch norm


def test_batch_norm_has_the_parts_of_pytorchs(observe, draw):
    """weight, bias, running_mean and running_var begin as in nn.BatchNorm2d, float32, and are saved."""
    sizes = draw.shuffled(range(1, 40))[:4]
    seen = observe(scenarios.batch_norm_parts, sizes=sizes)
    for size, parts in zip(sizes, seen, strict=True):
        zeros, ones = torch.zeros(size), torch.ones(size)
        why = "as in nn.BatchNorm2d: weight and bias are parameters, the statistics are buffers"
        expect(parts["parameters"], "parameters").equals({"weight": ones, "bias": zeros}, why)
        expect(parts["buffers"], "buffers").equals({"running_mean": zeros, "running_var": ones}, why)
        names = ["bias", "running_mean", "running_var", "weight"]
        expect(parts["saved"], "of these, in state_dict()").equals(names, "a restored model needs all four")


def once_rounded(dtype: torch.dtype) -> Tolerance:
    """For values of about 1, computed in float32 and rounded to `dtype`."""
    if dtype in HALVES:
        return Tolerance("computed in float32 and rounded once", ulps=1.01, atol=2e-5)
    return Tolerance("a few float32 roundings", rtol=1e-5, atol=2e-5)


def expect_output(seen: Tensor, x: Tensor, expected: Tensor, why: str) -> None:
    expect(seen, f"output for {x.dtype}").close_to(expected.to(x.dtype), once_rounded(x.dtype), why)


def test_batch_norm_normalizes_a_batch(observe, draw):
    """In train mode each channel is normalized by its batch in float32; the output has the dtype of x."""
    channels = draw.integer(2, 4)
    weight, bias = draw.away_from_zero(channels), draw.normal(channels)
    dtypes = draw.shuffled((*HALVES, torch.float32, torch.float64))
    inputs = [drawn_images(draw, channels, dtype, mean=30.0) for dtype in dtypes]
    seen = observe(
        scenarios.batch_norm, inputs=inputs, training=[True] * 4, weight=weight, bias=bias, settings={},
        report=["output"],
    )  # fmt: skip
    for x, one in zip(inputs, seen, strict=True):
        why = "the batch's mean and biased variance, both in float32; only the output goes back to the dtype of x"
        expect_output(one["output"], x, normalized(x, *over_batch(x), weight, bias, 1e-5), why)


def test_batch_norm_adds_eps_to_the_variance(observe, draw):
    """eps is added to the variance, before the root."""
    channels, eps = draw.integer(2, 4), draw.number(0.1, 2.0)
    weight, bias = draw.away_from_zero(channels), draw.normal(channels)
    inputs = [drawn_images(draw, channels, torch.float32) for _ in range(2)]
    seen = observe(
        scenarios.batch_norm, inputs=inputs, training=[True, False], weight=weight, bias=bias,
        settings={"eps": eps, "momentum": 1.0}, report=["output"],
    )  # fmt: skip
    statistics = over_batch(inputs[0]), over_batch(inputs[0], correction=1)
    for x, one, (mean, var), mode in zip(inputs, seen, statistics, ("train", "eval"), strict=True):
        why = f"(x - mean) / sqrt(variance + eps) with the eps that was given; {mode} mode has statistics of its own"
        expect_output(one["output"], x, normalized(x, mean, var, weight, bias, eps), why)


def test_batch_norm_keeps_running_statistics(observe, draw):
    """In train mode running mean and unbiased running variance move by `momentum`, in float32."""
    channels = draw.integer(2, 4)
    inputs = [drawn_images(draw, channels, draw.choice((*HALVES, torch.float32)), mean=30.0) for _ in range(4)]
    for settings in draw.shuffled(({}, {"momentum": draw.number(0.2, 0.9)}, {"momentum": 0.0})):
        momentum = settings.get("momentum", 0.1)
        seen = observe(
            scenarios.batch_norm, inputs=inputs, training=[True] * 4, weight=draw.normal(channels),
            bias=draw.normal(channels), settings=settings, report=["running_mean", "running_var"],
        )  # fmt: skip
        mean, var = torch.zeros(channels).double(), torch.ones(channels).double()
        for x, one in zip(inputs, seen, strict=True):
            of_mean, of_var = over_batch(x, correction=1)
            mean, var = (1 - momentum) * mean + momentum * of_mean, (1 - momentum) * var + momentum * of_var
            why = f"(1 - momentum) * old + momentum * the batch's, with momentum {momentum:.3g}; float32 throughout"
            expect(one["running_mean"], "running_mean").close_to(mean.float(), FLOAT32, why)
            why += "; the variance divides by n - 1"
            expect(one["running_var"], "running_var").close_to(var.float(), FLOAT32, why)


def test_batch_norm_evaluates_with_running_statistics(observe, draw):
    """In eval mode the running statistics are used, and stay."""
    channels, momentum = draw.integer(2, 4), draw.number(0.3, 0.9)
    weight, bias = draw.away_from_zero(channels), draw.normal(channels)
    dtypes = (*HALVES, torch.float32)
    training, inputs = [], []
    for trains in (False, True, False, True, False):  # each time, one batch of each dtype
        training += [trains] * len(dtypes)
        inputs += [drawn_images(draw, channels, dtype) for dtype in draw.shuffled(dtypes)]
    seen = observe(
        scenarios.batch_norm, inputs=inputs, training=training, weight=weight, bias=bias,
        settings={"momentum": momentum}, report=["output", "running_mean", "running_var"],
    )  # fmt: skip
    mean, var = torch.zeros(channels), torch.ones(channels)
    why = "eval mode normalizes with the running statistics that train mode has left, and moves neither"
    for x, one, trains in zip(inputs, seen, training, strict=True):
        of_batch = over_batch(x, correction=1)
        if trains:
            mean, var = ((1 - momentum) * old + momentum * new for old, new in zip((mean, var), of_batch, strict=True))
        used = over_batch(x) if trains else (mean, var)
        expect_output(one["output"], x, normalized(x, *used, weight, bias, 1e-5), why)
        expect(one["running_mean"], "running_mean").close_to(mean.float(), FLOAT32, why)
        expect(one["running_var"], "running_var").close_to(var.float(), FLOAT32, why)


def test_batch_norm_survives_a_large_mean(observe, draw):
    """A mean 1000 times as large as the deviations from it does no harm to the variance."""
    channels = draw.integer(2, 4)
    weight, bias = draw.away_from_zero(channels), draw.normal(channels)
    x = drawn_images(draw, channels, torch.float32, mean=2000.0)
    (seen,) = observe(
        scenarios.batch_norm, inputs=[x], training=[True], weight=weight, bias=bias, settings={},
        report=["output", "running_var"],
    )  # fmt: skip
    tolerance = Tolerance(
        "the mean is rounded to float32: 2^-24 of 2000, against deviations of 0.1 and more", atol=0.02
    )
    why = "the digits of a variance are in (x - mean)^2, not in E[x^2] - E[x]^2; the running one is the unbiased one"
    expect(seen["output"], "output").close_to(normalized(x, *over_batch(x), weight, bias, 1e-5).float(), tolerance, why)
    expected = 0.9 + 0.1 * over_batch(x, correction=1)[1]
    expect(seen["running_var"], "running_var").close_to(
        expected.float(), Tolerance("the mean is rounded to float32", rtol=0.01), why
    )


def test_gradients_flow_through_batch_norm(observe, draw):
    """Gradients reach x, through the batch's statistics too, weight and bias; the running statistics keep no graph."""
    channels, eps = draw.integer(2, 4), draw.number(0.1, 0.5)
    weight, bias = draw.away_from_zero(channels), draw.normal(channels)
    training = [True, *draw.shuffled((True, False)), False]
    dtypes = draw.shuffled((*HALVES, torch.float32, torch.float32))
    inputs = [drawn_images(draw, channels, dtype) for dtype in dtypes]
    upstream = [draw.normal(*x.shape, dtype=x.dtype) for x in inputs]
    seen = observe(
        scenarios.batch_norm_gradients, inputs=inputs, upstream=upstream, training=training, weight=weight, bias=bias,
        eps=eps,
    )  # fmt: skip
    mean, var = torch.zeros(channels).double(), torch.ones(channels).double()
    for x, gradient, trains, one in zip(inputs, upstream, training, seen, strict=True):
        leaves = [value.double().requires_grad_() for value in (x, weight, bias)]
        used = over_batch(leaves[0]) if trains else (mean, var)
        output = normalized(leaves[0], *used, *leaves[1:], eps)
        expected = torch.autograd.grad((output * gradient.double()).sum(), leaves)
        why = "x's gradient flows through mean and variance of the batch too" if trains else "eval mode learns as well"
        rounding = Tolerance("half rounding of the gradients that come in and go out", rtol=0.02, atol=0.03)
        for name, wanted in zip(("x", "weight", "bias"), expected, strict=True):
            dtype = x.dtype if name == "x" else torch.float32
            tolerance = rounding if x.dtype in HALVES else FLOAT32
            expect(one[name], f"gradient of {name}, input {x.dtype}").close_to(wanted.to(dtype), tolerance, why)
        expect(one["graphs"], "running statistics require a gradient").equals([False, False], "update them detached")
        if trains:
            of_mean, of_var = over_batch(x, correction=1)
            mean, var = 0.9 * mean + 0.1 * of_mean, 0.9 * var + 0.1 * of_var
