"""Step 5, fine-tuning: one behaviour a test, judged by the values that a scenario brought back."""

import itertools

import torch
from torch import Tensor

from labkit.judge.expect import Tolerance, expect, expect_error
from references.capstones.step_4 import drawn_table, logits_gradient, table_loss, tags
from references.capstones.step_5 import Run, drawn_batches, drawn_weights, factor
from scenarios.capstones import step_5 as scenarios

EXACT = Tolerance("nothing is rounded on the way", atol=0.0)
FLOAT64 = Tolerance("float64 rounding of a few operations", rtol=1e-12)
FLOAT32 = Tolerance("float32 rounding, which AdamW makes larger where a gradient is small", rtol=1e-3, atol=1e-3)
ONE_SUM = Tolerance("float32 rounding of one small sum", rtol=1e-5, atol=1e-5)
HALF = Tolerance("float16 rounding of the logits' gradient", rtol=2e-3, atol=2e-3)
BFLOAT16 = Tolerance("bfloat16 rounding of the logits' gradient", rtol=2e-2, atol=2e-2)
DTYPES = (torch.float32, torch.bfloat16, torch.float16)
READER = 12  # modules of the scenarios' TinyReader
NO_LIMIT = 1e6
PARTS = {  # the parameters of the modules of a TinyReader that may be frozen
    "words": ["words.weight"],
    "layer1": ["layer1.0.bias", "layer1.0.weight", "layer1.1.bias", "layer1.1.weight"],
    "layer1.0": ["layer1.0.bias", "layer1.0.weight"],
    "layer10": ["layer10.bias", "layer10.weight"],
    "pooler": ["pooler.bias", "pooler.weight"],
    "inner": [],
}


def expect_state(seen: object, expected: dict[str, Tensor], what: str, why: str, tolerance: Tolerance) -> None:
    """A dict of float32 tensors with these names, close to those expected."""
    expect(sorted(seen) if isinstance(seen, dict) else seen, f"{what}: names").equals(sorted(expected), why)
    for name, value in expected.items():
        expect(seen[name], f"{what}: {name}").close_to(value, tolerance, why, torch.float32)


def expect_as_many(losses: object, batches: list, what: str, why: str) -> None:
    expect(len(losses) if isinstance(losses, list) else losses, what).equals(len(batches), why)


# parameter_groups


def _expect_groups(observe, draw, shapes: list, trained: list, shared: list, why: str) -> None:
    weight_decay = draw.number(0.01, 0.5)
    seen = observe(scenarios.groups, shapes=shapes, trained=trained, shared=shared, weight_decay=weight_decay)
    decays = [number for number, shape in enumerate(shapes) if trained[number] and len(shape) >= 2]
    others = [number for number, shape in enumerate(shapes) if trained[number] and len(shape) < 2]
    keys = {"keys": ["params", "weight_decay"], "list": True}
    for found, numbers in zip(seen, ([decays, others], [[], []]), strict=True):
        expected = [keys | {"weight_decay": decay, "parameters": some}
                    for decay, some in zip((weight_decay, 0.0), numbers, strict=True)]  # fmt: skip
        expect(found, f"groups of parameters of shapes {shapes}").equals(expected, why)


def drawn_shapes(draw, counts: dict[int, int]) -> list[list[int]]:
    """So many shapes for each number of dimensions, in a drawn order."""
    dimensions = draw.shuffled([number for number, count in counts.items() for _ in range(count)])
    return [[draw.integer(1, 3) for _ in range(number)] for number in dimensions]


def test_parameter_groups_decay_by_dimensions(observe, draw):
    """Parameters of two or more dimensions are in the first group, which decays; all others in the second."""
    shapes = drawn_shapes(draw, {0: 2, 1: 6, 2: 5, 3: 2, 4: 2})
    why = "biases and the weights of norms have one dimension; matrices, embeddings and convolutions have more"
    _expect_groups(observe, draw, shapes, [True] * len(shapes), [], why)


def test_parameter_groups_leave_frozen_ones_out(observe, draw):
    """A parameter that requires no gradient is in neither group, and an empty group is still a group."""
    shapes = drawn_shapes(draw, {1: 6, 2: 6})
    why = "requires_grad says what is trained; two groups come back in any case"
    _expect_groups(observe, draw, shapes, draw.pattern(12, share=0.5), [], why)


def test_parameter_groups_have_shared_parameters_once(observe, draw):
    """A parameter that belongs to several modules is in its group once."""
    shapes = drawn_shapes(draw, {1: 5, 2: 5})
    vectors = draw.shuffled([place for place, shape in enumerate(shapes) if len(shape) == 1])
    matrices = draw.shuffled([place for place, shape in enumerate(shapes) if len(shape) == 2])
    shared = vectors[:2] + matrices[:2]
    why = "model.parameters() gives a shared parameter once; an optimizer takes none twice"
    _expect_groups(observe, draw, shapes, [True] * 10, shared, why)


# warmup_linear


def _expect_factors(observe, calls: list, why: str) -> None:
    for call, seen in zip(calls, observe(scenarios.rates, calls=calls), strict=True):
        what = "warmup_linear(step={}, warmup={}, total={})".format(*call)
        expect(seen, what).close_to(factor(*call), FLOAT64, why)


def test_warmup_linear_rises_and_falls(observe, draw):
    """The factor rises in a straight line to 1 at step warmup - 1, and falls in another that would be 0 at total."""
    for _ in range(3):
        warmup = draw.integer(2, 30)
        total = warmup + draw.integer(2, 60)
        calls = [[step, warmup, total] for step in draw.shuffled(range(total))[:12]]
        ends = [[0, warmup, total], [warmup - 1, warmup, total], [warmup, warmup, total], [total - 1, warmup, total]]
        why = "the smaller one of (step + 1) / warmup and (total - step) / (total - warmup + 1)"
        _expect_factors(observe, calls + ends, why)


def test_warmup_linear_without_warmup(observe, draw):
    """A warmup of 0 steps gives the same factors as one of 1: all of the rate at step 0."""
    for warmup in draw.shuffled((0, 1, 0)):
        total = draw.integer(10, 60)
        why = "max(warmup, 1) takes its place in both lines, and nothing is divided by 0"
        _expect_factors(observe, [[step, warmup, total] for step in [0, *draw.shuffled(range(total))[:8]]], why)


def test_warmup_linear_of_nothing_but_warmup(observe, draw):
    """A warmup of all steps rises to the end, and from step total on the factor is 0 and not below."""
    for _ in range(3):
        total = draw.integer(5, 60)
        calls = [[step, total, total] for step in draw.shuffled(range(total))[:5]]
        calls += [[total + late, draw.integer(0, total), total] for late in (0, 1, draw.integer(2, 50))] + [[0, 1, 1]]
        _expect_factors(observe, calls, "with warmup = total the last step has all of the rate; afterwards it is 0")


def test_warmup_linear_refuses_impossible_schedules(observe, draw):
    """A step below 0, a warmup below 0 or above total, and a total below 1 are ValueErrors; their neighbours work."""
    total, late = draw.integer(8, 40), draw.integer(1, 9)
    good = [[step, draw.integer(2, total - 1), total] for step in draw.shuffled(range(total))[:8]]
    good += [[0, 0, total], [0, total, total], [0, 1, 1]]
    bad = [[-1, 1, total], [-late, 0, total], [0, -1, total], [late, total + 1, total], [0, total + late, total]]
    bad += [[0, 0, 0], [0, 0, -late], [late, -late, total]]
    calls = draw.shuffled(good + bad)
    why = "step at least 0, total at least 1, warmup from 0 to total: both ends are possible"
    for call, seen in zip(calls, observe(scenarios.rates, calls=calls), strict=True):
        what = "warmup_linear(step={}, warmup={}, total={})".format(*call)
        if call in bad:
            expect_error(seen, what, "ValueError", why)
        else:
            expect(seen, what).close_to(factor(*call), FLOAT64, why)


# fine_tune


def test_fine_tuning_steps_are_those_of_adamw(observe, draw):
    """Each batch makes one step of AdamW, with decay for the matrices alone; the losses are those before each step."""
    weights, batches, decay = drawn_weights(draw), drawn_batches(draw, draw.integer(3, 5)), draw.number(0.5, 1.0)
    seen = observe(
        scenarios.tune, weights=weights, batches=batches, lr=0.05, warmup=draw.integer(0, 1),
        settings={"weight_decay": decay, "max_grad_norm": NO_LIMIT}, report=["state", "losses"],
    )  # fmt: skip
    run = Run(weights, batches, 0.05, 0, decay, NO_LIMIT)
    why = "AdamW over parameter_groups(model, weight_decay), one step a batch, in order"
    expect_state(seen["state"], run.state, "after training", why, FLOAT32)
    expect_as_many(seen["losses"], batches, "number of losses", "one loss for each batch, in their order")
    for index, (loss, expected) in enumerate(zip(seen["losses"], run.losses, strict=True)):
        expect(loss, f"loss of batch {index}").close_to(expected, FLOAT32, "the mean loss of each batch, in order")


def test_fine_tuning_warms_up_and_decays(observe, draw):
    """The learning rate of each step is lr times warmup_linear over as many steps as there are batches."""
    for _ in range(2):
        weights, count, lr = drawn_weights(draw), draw.integer(6, 8), draw.number(0.05, 0.1)
        batches, warmup = drawn_batches(draw, count), draw.integer(2, count)
        seen = observe(
            scenarios.tune, weights=weights, batches=batches, lr=lr, warmup=warmup,
            settings={"weight_decay": 0.0, "max_grad_norm": NO_LIMIT}, report=["state"],
        )  # fmt: skip
        why = "the first step has the factor of step 0, and the scheduler moves after every step"
        expect_state(seen["state"], Run(weights, batches, lr, warmup, 0.0, NO_LIMIT).state, "weights", why, FLOAT32)


def test_fine_tuning_has_its_defaults(observe, draw):
    """Without other arguments weight_decay is 0.01, the limit of the norm is 1.0, and nothing is frozen."""
    weights, batches = drawn_weights(draw), drawn_batches(draw, 7, low=1, high=2)
    seen = observe(scenarios.tune, weights=weights, batches=batches, lr=0.3, warmup=0, report=["state"])
    why = "weight_decay=0.01, max_grad_norm=1.0, frozen=()"
    expect_state(seen["state"], Run(weights, batches, 0.3, 0).state, "after training", why, FLOAT32)


def test_fine_tuning_clips_the_norm_of_all_gradients(observe, draw):
    """The 2-norm of all gradients together is limited to max_grad_norm; gradients below the limit stay as they are."""
    weights, batches = drawn_weights(draw), drawn_batches(draw, 6, low=1, high=2)
    # what clipping does to AdamW shows where norms differ from step to step
    norms = sorted(Run(weights, batches, 0.1, 0, 0.0, NO_LIMIT).norms)
    for share in draw.shuffled((draw.number(0.05, 0.2), 0.8, 1.5, 0.0)):
        limit = share * norms[3 if share > 0.5 else 0]
        seen = observe(
            scenarios.tune, weights=weights, batches=batches, lr=0.1, warmup=0,
            settings={"weight_decay": 0.0, "max_grad_norm": limit}, report=["state"],
        )  # fmt: skip
        run = Run(weights, batches, 0.1, 0, 0.0, limit)
        why = "one norm over all parameters; a longer gradient is shortened, a shorter one stays; 0.0 is a limit too"
        expect_state(seen["state"], run.state, f"after training with max_grad_norm={limit:.3g}", why, FLOAT32)


def test_fine_tuning_begins_without_old_gradients(observe, draw):
    """A gradient that was there before has no part, neither of a trained nor of a frozen parameter."""
    weights, batches = drawn_weights(draw), drawn_batches(draw, 5)
    names = [draw.choice(("words", "layer1", "layer10"))]
    old = {name: draw.normal(*value.shape, scale=20.0) for name, value in weights.items()}
    seen = observe(
        scenarios.tune, weights=weights, batches=batches, lr=0.1, warmup=0, old=old, frozen=names,
        settings={"weight_decay": 0.0, "max_grad_norm": 0.5}, report=["state"],
    )  # fmt: skip
    run = Run(weights, batches, 0.1, 0, 0.0, 0.5, tuple(PARTS[names[0]]))
    why = "zero_grad before each backward; the norm is that of the trained parameters"
    expect_state(seen["state"], run.state, f"after training with {names[0]} frozen", why, FLOAT32)


def test_fine_tuning_freezes_modules(observe, draw):
    """The parameters of the modules in frozen, and those frozen before, stay as they are; all others are trained."""
    every = (["layer1"], ["words", "layer10"], ["layer1.0", "pooler"], ["inner"])
    already = (["head.bias"], ["layer1.1.weight", "head.weight"], [], [])
    for names, before in zip(draw.shuffled(every), draw.shuffled(already), strict=True):
        weights, batches = drawn_weights(draw), drawn_batches(draw, 4)
        fixed = tuple(sorted({*before, *(parameter for name in names for parameter in PARTS[name])}))
        seen = observe(
            scenarios.tune, weights=weights, batches=batches, lr=0.1, warmup=2, frozen=draw.shuffled(names),
            already_frozen=before, settings={"weight_decay": 0.5}, report=["state", "trained"],
        )  # fmt: skip
        run, what = Run(weights, batches, 0.1, 2, 0.5, 1.0, fixed), f"with frozen={names}"
        why = "a module is found by its whole name; what is frozen has no gradient, no step and no decay"
        expect(seen["trained"], f"parameters with requires_grad {what}").equals(sorted(set(weights) - set(fixed)), why)
        for name in fixed:
            expect(seen["state"][name], f"{name} {what}").equals(weights[name], why)
        expect_state(seen["state"], run.state, f"after training {what}", why, FLOAT32)


def test_fine_tuning_freezes_shared_parameters(observe, draw):
    """A parameter that a module in frozen shares with another module stays as it is."""
    for name in draw.shuffled(("words.weight", "layer1.0.weight", "layer10.weight", "head.weight")):
        weights, batches = drawn_weights(draw), drawn_batches(draw, 3)
        seen = observe(
            scenarios.tune, weights=weights, batches=batches, lr=0.1, warmup=1, frozen=["tied"], tied=name,
            report=["state", "trained"],
        )  # fmt: skip
        run, what = Run(weights, batches, 0.1, 1, frozen=(name,)), f"with {name} also that of a frozen module"
        why = "named_parameters() has a shared parameter under its first name only: go through the module's own"
        expect(seen["trained"], f"parameters with requires_grad {what}").equals(sorted(set(weights) - {name}), why)
        expect_state(seen["state"], run.state, f"after training {what}", why, FLOAT32)


def test_fine_tuning_runs_under_autocast(observe, draw):
    """Each batch runs through the model once, under autocast in dtype, float32 without; parameters stay float32."""
    other = {torch.float32: draw.choice(DTYPES[1:]), torch.bfloat16: torch.float16, torch.float16: torch.bfloat16}
    for dtype in draw.shuffled(DTYPES):
        weights, batches = drawn_weights(draw), drawn_batches(draw, 6)
        seen = observe(
            scenarios.tune, weights=weights, batches=batches, lr=1e-4, warmup=1, dtype=dtype, around=other[dtype],
            runs=["autocast", "grad", "inputs", "parameters"], report=["runs", "state"],
        )  # fmt: skip
        found = [[tag, autocast, grad, inputs[0], [one[0] for one in parameters]]
                 for tag, autocast, grad, inputs, parameters in seen["runs"]]  # fmt: skip
        expected = [[tag, dtype, True, torch.int64, [torch.float32] * 11] for tag in tags(batches)]
        why = "the forward is in a region of its own: for float32 a disabled one, also inside of another"
        expect(found, "runs: [first token, autocast, gradients?, tokens, parameters]").equals(expected, why)


def test_fine_tuning_runs_with_the_weights_of_the_last_step(observe, draw):
    """Each batch runs with the weights that the model has then, not with what autocast kept of earlier ones."""
    for dtype in draw.shuffled(DTYPES[1:]):
        batches = drawn_batches(draw, 6)
        seen = observe(
            scenarios.tune, weights=drawn_weights(draw), batches=batches, lr=0.05, warmup=1, dtype=dtype,
            runs=["fresh"], report=["runs"],
        )  # fmt: skip
        why = "autocast keeps the casts of weights until its region ends: a region for each batch"
        expected = [[tag, True] for tag in tags(batches)]
        expect(seen["runs"], f"runs, {dtype}: [first token, current weights?]").equals(expected, why)


def test_fine_tuning_runs_in_train_mode(observe, draw):
    """All modules are in train mode in every step, frozen ones too, whatever their modes were before."""
    for dtype, of_model in zip(DTYPES[:2], draw.shuffled((True, False)), strict=True):
        weights, batches = drawn_weights(draw), drawn_batches(draw, 6)
        seen = observe(
            scenarios.tune, weights=weights, batches=batches, lr=1e-4, warmup=1, dtype=dtype, runs=["training"],
            modes=[of_model, *draw.pattern(READER - 1, share=0.5)], report=["runs"],
            frozen=draw.choice((["layer1"], ["words", "layer1.0"], ["layer10"], ["inner"])),
        )  # fmt: skip
        expected = [[tag, [True] * READER] for tag in tags(batches)]
        expect(seen["runs"], "runs: [first token, training]").equals(expected, "model.train(), whatever it was before")


def test_fine_tuning_losses_are_float32(observe, draw):
    """The loss of each batch is its mean cross entropy in float32, for half logits too, and unscaled."""
    for dtype in draw.shuffled(DTYPES):
        batches = drawn_batches(draw, 5, low=3, high=8)
        table = drawn_table(draw, batches)
        seen = observe(scenarios.tune, table=table, batches=batches, dtype=dtype, report=["losses"])
        expect_as_many(seen["losses"], batches, "number of losses", "one loss for each batch")
        for loss, (_, logits), (_, labels) in zip(seen["losses"], table, batches, strict=True):
            why = "logits.float() before the cross entropy; what is reported is not scaled"
            expect(loss, f"loss, {dtype}").close_to(table_loss(logits, labels) / len(labels), ONE_SUM, why)


def test_fine_tuning_overflow_skips_its_step(observe, draw):
    """A step with an inf or nan in its gradients is skipped in every dtype; its loss is there, the rate stays."""
    for dtype in draw.shuffled(DTYPES):
        weights, batches = drawn_weights(draw), drawn_batches(draw, 8, low=3, high=8)
        kinds, bad = itertools.cycle(draw.shuffled((1, 2, 3))), [*draw.pattern(7, share=0.55), False]
        # a network of drawn weights may overflow in float16 by itself; logits of a table do not
        model = {"table": drawn_table(draw, batches)} if dtype == torch.float16 else {"weights": weights}
        spoils = [[tag, [next(kinds) if one else 0]] for tag, one in zip(tags(batches), bad, strict=True)]
        seen = observe(
            scenarios.tune, batches=batches, lr=0.1, warmup=3, dtype=dtype, spoils=spoils,
            settings={"weight_decay": 0.0, "max_grad_norm": NO_LIMIT}, report=["moved", "state", "losses"], **model,
        )  # fmt: skip
        why = "look for inf and nan in the gradients, also without a loss scale, and leave out that step alone"
        expected = [[tag, not one] for tag, one in zip(tags(batches), bad, strict=True)]
        expect(seen["moved"], f"steps, {dtype}: [first token, weights moved?]").equals(expected, why)
        expect_as_many(seen["losses"], batches, f"number of losses, {dtype}", "those of skipped steps too")
        if dtype == torch.float32:
            run = Run(weights, batches, 0.1, 3, 0.0, NO_LIMIT, skipped=bad)
            why = "after a skipped step the next one has the learning rate that the skipped one would have had"
            expect_state(seen["state"], run.state, "after training", why, FLOAT32)


def test_fine_tuning_scales_the_loss_in_float16_alone(observe, draw):
    """What goes backward in float16 is the loss times a scale that begins at 65536, and halves after an overflow."""
    for dtype in draw.shuffled(DTYPES):
        batches, bad = drawn_batches(draw, 6, low=3, high=8), [*draw.pattern(5), False]  # the last shows the scale
        table = drawn_table(draw, batches)
        spoils = [[tag, [int(one)]] for tag, one in zip(tags(batches), bad, strict=True)]
        seen = observe(
            scenarios.tune, table=table, batches=batches, dtype=dtype, spoils=spoils, runs=["gradients"],
            report=["runs"],
        )  # fmt: skip
        expect([run[0] for run in seen["runs"]], "first tokens of the batches").equals(tags(batches), "each batch once")
        scale = 65536.0 if dtype == torch.float16 else 1.0
        for run, one, (_, labels), (_, logits) in zip(seen["runs"], bad, batches, table, strict=True):
            why = f"the loss scale is {scale:g} in this step: one GradScaler, updated after every step"
            found = run[1][0].double() / scale if len(run[1]) == 1 and isinstance(run[1][0], Tensor) else run[1]
            tolerance = HALF if dtype == torch.float16 else BFLOAT16
            what = f"gradient of the logits, {dtype}, / {scale:g}"
            expect(found, what).close_to(logits_gradient(logits, labels), tolerance, why)
            scale *= 0.5 if one and dtype == torch.float16 else 1.0


def test_fine_tuning_clips_true_gradients_in_float16(observe, draw):
    """In float16 it is the gradients after division by the loss scale that are compared with the limit."""
    for between in draw.shuffled((True, False)):
        batches = drawn_batches(draw, 6, low=3, high=8)
        # gradients so small that, divided by the scale once more, they would drown in AdamW's eps
        table = [[inputs, logits / 1024] for inputs, logits in drawn_table(draw, batches)]
        batches[0][1] = table[0][1].argmin(dim=1)  # a first gradient that is far from zero, for AdamW takes its sign
        known = dict(zip(tags(batches), (logits.double() for _, logits in table), strict=True))

        def run(limit: float, batches: list = batches, known: dict = known) -> Run:
            return Run(
                {"factor": torch.ones(1)}, batches, 0.1, 0, 0.0, limit,
                logits=lambda tokens, state: known[float(tokens.flatten()[0])] * state["factor"],
            )  # fmt: skip

        norms = sorted(run(NO_LIMIT).norms)
        limit = sum(norms[2:4]) / 2 if between else 1.3 * norms[-1]
        seen = observe(
            scenarios.tune, table=table, batches=batches, lr=0.1, warmup=0, dtype=torch.float16,
            settings={"weight_decay": 0.0, "max_grad_norm": limit}, report=["state"],
        )  # fmt: skip
        tolerance = Tolerance("float16 rounding of the logits and of their gradients", rtol=5e-3, atol=5e-3)
        why = "scaler.unscale_(optimizer) comes before the clipping"
        what = f"after training in float16 with max_grad_norm={limit:.3g}"
        expect_state(seen["state"], run(limit).state, what, why, tolerance)


def test_fine_tuning_refuses_what_cannot_be_trained(observe, draw):
    """No batches, an unknown name, an impossible warmup or nothing to train: a ValueError, before any change."""
    weights, batches = drawn_weights(draw), drawn_batches(draw, 5)
    old = {name: draw.normal(*value.shape) for name, value in weights.items()}
    every = ["words", "layer1", "layer10", "pooler", "head"]
    before = ["head.bias", "head.weight"]
    calls = [[0, 0, []], [5, 0, ["layer2"]], [5, 1, ["layer1", "layer"]], [5, 0, draw.shuffled(["words", "word"])],
             [5, 0, ["words.weight"]], [5, 6, ["words"]], [3, 4, ["layer1"]], [5, -1, ["layer10"]],
             [5, 0, draw.shuffled(every)], [5, 0, draw.shuffled(every[:4])], [5, 1, [""]]]  # fmt: skip
    calls = draw.shuffled(calls)
    seen = observe(
        scenarios.refused, weights=weights, old=old, already_frozen=before, batches=batches, calls=calls
    )  # fmt: skip
    for (count, warmup, frozen), one in zip(calls, seen, strict=True):
        what = f"fine_tune with {count} batches, warmup={warmup}, frozen={frozen}"
        expect_error(one["raised"], what, "ValueError", "check the arguments before anything else")
        why = "weights, gradients, requires_grad and modes stay as they were"
        expect_state(one["state"], weights, f"{what}: afterwards", why, EXACT)
        expect_state(one["gradients"], old, f"{what}: gradients", why, EXACT)
        expect(one["trained"], f"{what}: parameters with requires_grad").equals(sorted(set(weights) - set(before)), why)
        expect([one["training"], one["runs"]], f"{what}: training, runs").equals([[False] * READER, 0], why)
