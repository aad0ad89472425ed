"""Step 2, a training step: one behaviour a test, judged by the values that a scenario brought back."""

import itertools

import torch
from torch import Tensor

from labkit.judge.expect import Tolerance, expect
from references.capstones.step_2 import (
    TOKENS,
    Run,
    drawn_batches,
    drawn_overflows,
    drawn_targets,
    drawn_weights,
    mean_loss,
    scales,
)
from scenarios.capstones import step_2 as scenarios
from suites.capstones.common import or_its_type

HALVES = (torch.bfloat16, torch.float16)
FLOAT32 = Tolerance("float32 rounding over a few small steps", rtol=1e-5, atol=1e-5)
ROUNDED = Tolerance("the gradient is rounded to the dtype of the logits", rtol=0.01, atol=1e-3)
LOSS16 = Tolerance("logits of about 1, each rounded to 16 bits", rtol=0.02, atol=0.02)
EXACT = Tolerance("a power of two is exact", atol=0.0)


def expect_weights(seen: list, expected: list[Tensor], what: str, why: str) -> None:
    for index, name in enumerate(("source", "target", "last", "spare")):
        expect(seen[index], f"weight {name!r} {what}").close_to(expected[index], FLOAT32, why, torch.float32)


def expect_run(seen: list, run: Run, why: str) -> None:
    """After each call: what it returned, and the weights."""
    for call in range(len(run.weights)):
        what, one = f"after call {call + 1}", seen[call]
        loss, stepped = one["result"]
        expect(stepped, f"stepped, call {call + 1}").equals(run.stepped[call], why)
        expect_weights(one["weights"], run.weights[call], what, why)
        expect(loss, f"loss, call {call + 1}").close_to(run.losses[call], FLOAT32, "the true loss, as a Python number")


# The loss


def test_loss_is_the_mean_over_tokens(observe, draw):
    """sequence_loss is the mean over all tokens that are not `pad`, by default 0, in a float32 scalar."""
    pads = [None, None, *draw.shuffled(range(1, TOKENS))[:3], -100]
    targets = [drawn_targets(draw, pad or 0, TOKENS) for pad in pads]
    logits = [draw.normal(*target.shape, TOKENS, scale=2.0) for target in targets]
    seen = observe(scenarios.losses, logits=logits, targets=targets, pads=pads)
    for one, some, target, pad in zip(seen, logits, targets, pads, strict=True):
        what = "loss" if pad is None else f"loss with pad={pad}"
        why = "add up over the tokens that are not `pad`, of all rows, and divide by their number"
        expect(one, what).close_to(mean_loss(some, target, pad or 0).float(), FLOAT32, why)


def test_loss_is_float32_from_half_logits(observe, draw):
    """sequence_loss computes in float32, from logits of any dtype, also inside an autocast region."""
    regions = (*HALVES, torch.float32)
    cases = draw.shuffled([*itertools.product((*HALVES, torch.float32, torch.float64), regions)])
    targets = [drawn_targets(draw, 0, TOKENS) for _ in cases]
    logits = [draw.normal(*target.shape, TOKENS, scale=20.0).to(case[0])
              for target, case in zip(targets, cases, strict=True)]  # fmt: skip
    dtypes = [case[1] for case in cases]
    seen = observe(scenarios.losses_under_autocast, logits=logits, targets=targets, dtypes=dtypes)
    for one, some, target, region in zip(seen, logits, targets, dtypes, strict=True):
        expect(one, f"loss of logits in {some.dtype}, region {region}").close_to(
            mean_loss(some, target, 0).float(),
            FLOAT32,
            "make the logits float32 before the softmax, not the loss after it",
        )


def test_pads_get_no_gradient(observe, draw):
    """The gradient of the loss is (softmax - target) / number of tokens; where the target is a pad, it is 0."""
    pads = draw.shuffled([None, None, draw.integer(1, TOKENS - 1), draw.integer(1, TOKENS - 1)])
    targets = [drawn_targets(draw, pad or 0, TOKENS) for pad in pads]
    dtypes = draw.shuffled((*HALVES, torch.float32, torch.float32))
    logits = [draw.normal(*target.shape, TOKENS).to(dtype) for target, dtype in zip(targets, dtypes, strict=True)]
    seen = observe(scenarios.gradients_of_losses, logits=logits, targets=targets, pads=pads)
    for one, some, target, pad in zip(seen, logits, targets, pads, strict=True):
        leaf = some.double().requires_grad_()
        (right,) = torch.autograd.grad(mean_loss(leaf, target, pad or 0), leaf)
        tolerance = ROUNDED if some.dtype in HALVES else FLOAT32
        what = f"gradient of the logits in {some.dtype}"
        expect(one, what).close_to(
            right, tolerance, "the loss keeps its graph, and pads have no part in it", some.dtype
        )


def test_losses_of_nothing_are_refused(observe, draw):
    """sequence_loss raises ValueError if all targets are `pad`, or if there are none."""
    kinds = draw.shuffled(["fine", "fine", "fine", "zeros", "all", "all", "all of another", "none", "no rows"])
    targets, pads = [], []
    for kind in kinds:
        pad = 0 if kind == "all" else draw.integer(1, TOKENS - 1)
        target = drawn_targets(draw, pad, TOKENS)
        changes = {"zeros": 0, "all": pad, "all of another": pad}
        target = target.fill_(changes[kind]) if kind in changes else target
        targets.append({"none": target[:, :0], "no rows": target[:0]}.get(kind, target))
        pads.append(None if kind == "all" else pad)
    logits = [draw.normal(*target.shape, TOKENS) for target in targets]
    seen = observe(scenarios.losses, logits=logits, targets=targets, pads=pads)
    for one, some, target, kind, pad in zip(seen, logits, targets, kinds, pads, strict=True):
        if kind in ("fine", "zeros"):
            right = mean_loss(some, target, pad).float()
            expect(one, f"loss with pad={pad}").close_to(right, FLOAT32, "a token that is not `pad` is enough")
        else:
            why = "the mean of nothing is nan, and a nan ruins every weight"
            expect(or_its_type(one), f"loss of targets of shape {list(target.shape)}, all pads").equals(
                "ValueError", why
            )


# The step


def test_model_learns_the_next_token(observe, draw):
    """The model sees each target without its last token, and the loss is of the tokens from the second one on."""
    weights, batches = drawn_weights(draw), drawn_batches(draw, [0] * 3)
    seen = observe(scenarios.train, weights=weights, batches=batches, report=["calls", "result", "weights"])
    for call, (one, (source, target)) in enumerate(zip(seen, batches, strict=True)):
        expect(len(one["calls"]), f"forward passes of call {call + 1}").equals(1, "the model runs once in each step")
        for name, right in (("source", source), ("target", target[:, :-1])):
            expect(one["calls"][0][name], f"{name} that the model sees").equals(
                right, "the whole source, and the target up to the token before the last column"
            )
    why = "what it says at a position is compared with the next token: logits with target[:, 1:]"
    expect_run(seen, Run(weights, batches, [1.0] * 4), why)


def test_step_begins_without_old_gradients(observe, draw):
    """Gradients that were there before the call, finite or not, have no part in the step: not even as zeros."""
    weights, batches = drawn_weights(draw), drawn_batches(draw, [0] * 3)
    old = [draw.away_from_zero(*weight.shape) for weight in weights]
    for gradient, spoil in zip(old, draw.shuffled(scenarios.SPOILS), strict=True):
        gradient.view(-1)[0] = spoil
    settings = {"momentum": draw.number(0.3, 0.9), "weight_decay": draw.number(0.1, 0.3)}
    seen = observe(
        scenarios.train, weights=weights, batches=batches, old=old, rates=[0.5] * 4, report=["result", "weights"],
        **settings,
    )  # fmt: skip
    why = "zero_grad comes before backward, in each step; with a gradient of zeros, weight decay moves a weight too"
    expect_run(seen, Run(weights, batches, [0.5] * 4, **settings), why)


def test_trains_in_train_mode(observe, draw):
    """The model and all of its modules are in train mode in the forward pass, whatever they were before."""
    modes = draw.shuffled([*itertools.product((True, False), repeat=3)])  # of the model, a module, and one in it
    batches = drawn_batches(draw, [0] * len(modes))
    seen = observe(scenarios.train, weights=drawn_weights(draw), batches=batches, modes=modes, report=["calls"])
    for one, before, (source, _) in zip(seen, modes, batches, strict=True):
        expect(one["calls"][0]["modes"], f"train mode of model, module and inner one, which were {before}").equals(
            [True] * 3, "decoding between two steps leaves eval mode behind: model.train() comes first"
        )
        expect(one["calls"][0]["source"], "source that the model sees").equals(source, "the batch's own")


def test_forward_runs_under_autocast(observe, draw):
    """The forward pass runs under autocast in `dtype`, in float32 without, whatever is around the call."""
    cases = draw.shuffled([*itertools.product((torch.float32, *HALVES), repeat=2)])
    dtypes, regions = [case[0] for case in cases], [case[1] for case in cases]
    weights, batches = drawn_weights(draw), drawn_batches(draw, [0] * len(dtypes))
    seen = observe(
        scenarios.train, weights=weights, batches=batches, dtypes=dtypes, scaler={"init_scale": 2.0**6},
        regions=regions, report=["calls", "after", "result"], rates=[0.0] * (len(dtypes) + 1),
    )  # fmt: skip
    run = Run(weights, batches, [0.0] * (len(dtypes) + 1))
    for one, dtype, region, loss in zip(seen, dtypes, regions, run.losses, strict=True):
        what = f"product of float32 matrices in the model, dtype={dtype}, called under autocast in {region}"
        expect(one["calls"][0]["dtype"], what).equals(
            dtype, "a region of your own, also for float32: autocast(..., enabled=False) switches one around it off"
        )
        expect(one["after"], "product of float32 matrices after the call").equals(region, "the region has an end")
        expect(one["result"][0], f"loss in {dtype}").close_to(loss, LOSS16, "only products are computed in 16 bits")


def test_true_gradients_are_clipped(observe, draw):
    """Gradients are clipped after they are unscaled, to a global norm of `max_grad_norm`; smaller ones stay."""
    for settings in draw.shuffled((None, {"init_scale": 2.0 ** draw.integer(4, 14)})):
        weights, batches = drawn_weights(draw), drawn_batches(draw, [0] * 4)
        rates = [draw.number(0.2, 0.5) for _ in range(5)]
        norms = sorted(Run(weights, batches, rates).norms)
        limit = draw.number(0.4, 0.6) * (norms[1] + norms[2])
        seen = observe(
            scenarios.train, weights=weights, batches=batches, limit=limit, scaler=settings, rates=rates,
            report=["result", "weights"],
        )  # fmt: skip
        why = "unscale, then clip by the norm of all gradients together, then step"
        expect_run(seen, Run(weights, batches, rates, limit), why)


def test_overflow_skips_the_step(observe, draw):
    """A gradient with an inf or nan skips the step, and nothing of it stays; the next step is a step again."""
    expect_skips(observe, draw, {"init_scale": 2.0 ** draw.integer(8, 14)}, "scaler.step skips; the flag says so")


def test_disabled_scaler_skips_as_well(observe, draw):
    """A gradient with an inf or nan skips the step also if the scaler is disabled."""
    why = "a disabled scaler looks for no inf and steps: bfloat16 and float32 need a check of yours"
    expect_skips(observe, draw, None, why)


def expect_skips(observe, draw, settings: dict | None, why: str) -> None:
    weights, batches = drawn_weights(draw), drawn_batches(draw, drawn_overflows(draw, 7))
    rates = [draw.number(0.1, 0.5)] * 8
    momentum = draw.number(0.3, 0.9)
    seen = observe(
        scenarios.train, weights=weights, batches=batches, scaler=settings, rates=rates, momentum=momentum,
        report=["result", "weights"],
    )  # fmt: skip
    expect_run(seen, Run(weights, batches, rates, momentum=momentum), why)


def test_scheduler_moves_with_taken_steps(observe, draw):
    """The scheduler moves once after each taken step, and not at all after a skipped one."""
    for settings in draw.shuffled((None, {"init_scale": 2.0 ** draw.integer(6, 10)})):
        weights, batches = drawn_weights(draw), drawn_batches(draw, [0, *drawn_overflows(draw, 6)])
        rates = [draw.number(0.05, 0.6) for _ in range(len(batches) + 1)]
        seen = observe(
            scenarios.train, weights=weights, batches=batches, scaler=settings, rates=rates, report=["rate", "weights"]
        )
        run = Run(weights, batches, rates)
        for call in range(len(run.rates)):
            one = seen[call]
            expect(
                one["rate"], f"learning rate after call {call + 1} ({'stepped' if run.stepped[call] else 'skipped'})"
            ).close_to(
                run.rates[call],
                FLOAT32,
                "a warmup counts steps that were taken: move it after the optimizer, if it stepped",
            )
            expect_weights(
                one["weights"], run.weights[call], f"after call {call + 1}", "the first step has the first rate"
            )


def test_scaler_is_updated_in_each_call(observe, draw):
    """The scale backs off after each overflow, and grows after enough steps in a row."""
    for interval in draw.shuffled((2, 3)):
        spoils = [*drawn_overflows(draw, 7), *[0] * interval]
        scale = 2.0 ** draw.integer(7, 12)
        batches = drawn_batches(draw, spoils)
        seen = observe(
            scenarios.train, weights=drawn_weights(draw), batches=batches, rates=[0.1] * (len(spoils) + 1),
            scaler={"init_scale": scale, "growth_interval": interval}, report=["scale", "result"],
        )  # fmt: skip
        good = [not spoil for spoil in spoils]
        for call, right in enumerate(scales(good, scale, interval)):
            expect(seen[call]["scale"], f"scale after call {call + 1}").close_to(
                right, EXACT, "update() once at the end of each call, also after a skipped step"
            )
            expect(seen[call]["result"][1], f"stepped, call {call + 1}").equals(
                good[call], "a scale that has grown is no sign of a skipped step"
            )


def test_batches_of_nothing_are_refused(observe, draw):
    """train_step raises ValueError if the targets have nothing after their first tokens; the weights stay."""
    weights, kinds = drawn_weights(draw), draw.shuffled(["short", "pads", *["fine"] * 4])
    batches, bad = drawn_batches(draw, [0] * 6), [kind != "fine" for kind in kinds]
    for batch, kind in zip(batches, kinds, strict=True):
        if kind == "short":
            batch[1] = batch[1][:, :1]
        elif kind == "pads":
            batch[1][:, 1:] = 0
    seen = observe(scenarios.train, weights=weights, batches=batches, report=["result", "weights"])
    good = [batch for batch, is_bad in zip(batches, bad, strict=True) if not is_bad]
    run, steps = Run(weights, good, [1.0] * 7), 0
    for one, is_bad in zip(seen, bad, strict=True):
        result = one["result"]
        if is_bad:
            expect(or_its_type(result), "train_step with nothing to learn").equals(
                "ValueError", "a loss of nan must not reach the weights"
            )
        else:
            expect(result[0], "loss").close_to(run.losses[steps], FLOAT32, "the other batches are steps as before")
            steps += 1
        weights = run.weights[steps - 1] if steps else [weight.double() for weight in weights]
        expect_weights(one["weights"], weights, "afterwards", "a refused batch changes nothing")
