"""Step 3, the trainer: one behaviour a test, judged by the values that a scenario brought back."""

import math

import torch
from torch.nn import functional as F

from labkit.judge.expect import Tolerance, expect
from labkit.labs.mixed_precision.banner import milestone_banner
from labkit.toolbox.datasets import digits
from labkit.toolbox.models import SimpleModel
from references.mixed_precision import (
    INF,
    NAN,
    drawn_batches,
    drawn_state,
    infinite_batch,
    linear_batches,
    linear_in,
    mean_loss,
    plain,
    reference_training,
    running_mean,
    scales_after,
    sharp_state,
    uneven_epoch,
)
from scenarios.mixed_precision import step_3 as scenarios
from scenarios.mixed_precision.common import small_model
from suites.mixed_precision.common import (
    EXACT,
    FLOAT32,
    FORMATS,
    HALF_LINEAR,
    HALF_TRAINING,
    HALVES,
    MODEST_SCALE,
    OTHER_DTYPES,
    expect_movement,
    expect_value_error,
)


def modest(dtype: torch.dtype) -> dict | None:
    """A scaler of a modest scale to assign before the first step, where there is loss scaling at all."""
    return {"0": {"init_scale": MODEST_SCALE}} if dtype == torch.float16 else None


def test_scaler_is_on_for_float16_only(observe, draw):
    """Loss scaling is on for float16 only, unless use_scaler says otherwise."""
    asked = [{"dtype": dtype, "use_scaler": use} for dtype in FORMATS for use in (None, True, False)]
    asked, loss = draw.shuffled([*asked, {}]), draw.away_from_zero(1)
    seen = observe(scenarios.trainers_of, state=drawn_state(draw), loss=loss, asked=asked)
    for one, scaled in zip(asked, seen, strict=True):
        use = one.get("use_scaler")
        on = one.get("dtype", torch.float16) == torch.float16 if use is None else use
        text = ", ".join(f"{name}={value}" for name, value in one.items())
        expect(scaled, f"loss scaled by the trainer({text})").close_to(
            loss * 65536.0 if on else loss,
            FLOAT32,
            why="only float16 needs loss scaling; use_scaler=True or False overrides that",
        )


def test_trainer_refuses_other_dtypes(observe, draw):
    """A trainer of any other dtype (float64, float8, an integer, ...) is a ValueError."""
    asked = draw.shuffled([{"dtype": dtype} for dtype in (*HALVES, *OTHER_DTYPES)])
    loss = draw.away_from_zero(1)
    seen = observe(scenarios.trainers_of, state=drawn_state(draw), loss=loss, asked=asked)
    for one, scaled in zip(asked, seen, strict=True):
        if one["dtype"] in HALVES:
            on = one["dtype"] == torch.float16
            expect(scaled, f"loss scaled by the trainer({one['dtype']})").close_to(
                loss * (65536.0 if on else 1.0),
                FLOAT32,
                "this format is legal; without use_scaler, scaling is on for float16 only",
            )
        else:
            expect_value_error(scaled, f"MixedPrecisionTrainer(dtype={one['dtype']})", [])


def test_step_trains_in_each_format(observe, draw):
    """train_step trains like a plain loop under autocast, in each format."""
    state, batches = drawn_state(draw), drawn_batches(draw, count=3)
    for dtype in draw.shuffled(FORMATS):
        seen = observe(scenarios.train_steps, state=state, batches=batches, dtype=dtype, lr=0.1, scalers=modest(dtype))
        scale = MODEST_SCALE if dtype == torch.float16 else 1.0
        losses, history = reference_training(state, batches, dtype, lr=0.1, scale=scale)
        why = "a step is: fresh gradients, forward and loss under autocast, scaled_backward of the unscaled loss"
        expect_movement(seen["weights"][-1], state, history[-1], why)
        tolerance = FLOAT32 if dtype == torch.float32 else HALF_TRAINING
        for step, loss in enumerate(losses):
            expect(seen["losses"][step], f"loss of step {step}").close_to(
                loss, tolerance, "train_step returns the unscaled loss of the step, a float, unrounded"
            )


def test_step_computes_in_the_dtype(observe, draw):
    """The forward pass of train_step runs in the trainer's dtype."""
    state, batches = drawn_state(draw), drawn_batches(draw, count=1)
    for dtype in draw.shuffled(FORMATS):
        seen = observe(scenarios.train_steps, state=state, batches=batches, dtype=dtype, lr=0.1)
        expected = linear_in(dtype, batches[0][0], state["0.weight"]) + state["0.bias"].double()
        tolerance = FLOAT32 if dtype == torch.float32 else HALF_LINEAR
        expect(seen["hidden"][0], "the first Linear in train_step").close_to(
            expected, tolerance, dtype=dtype, why="train_step's forward pass runs under autocast in the trainer's dtype"
        )


def expect_loss_in_float32(observe, draw, function: str) -> None:
    state = drawn_state(draw)
    why = "the criterion belongs under autocast too, which takes MSELoss to float32: a half loss has three digits"
    for dtype in draw.shuffled(HALVES * 2):
        # Not cross entropy: on CUDA autocast leaves its log-softmax in the dtype of the logits.
        batch = [draw.normal(6, 8), draw.normal(6, 3).to(dtype)]
        seen = observe(scenarios.losses_and_outputs, state=state, batch=batch, dtype=dtype, function=function)
        expected = F.mse_loss(seen["outputs"].double(), batch[1].double()).item()
        expect(seen["loss"], f"loss of {function}").close_to(expected, FLOAT32, why)


def test_step_computes_its_loss_in_float32(observe, draw):
    """In train_step the criterion runs under autocast too, so the loss has all its digits."""
    expect_loss_in_float32(observe, draw, "train_step")


def test_evaluate_computes_its_loss_in_float32(observe, draw):
    """In evaluate the criterion runs under autocast too, so the loss has all its digits."""
    expect_loss_in_float32(observe, draw, "evaluate")


def test_backward_runs_outside_autocast(observe, draw):
    """The backward pass runs outside of autocast: it computes in the dtypes of the forward pass."""
    gain, matrix = draw.normal(8), draw.normal(8, 8)
    batches = [[draw.normal(4, 8), draw.integers(4, 8, low=-8, high=9).float()] for _ in range(3)]  # exact in bfloat16
    for dtype in draw.shuffled(HALVES):
        seen = observe(scenarios.products_in_backward, gain=gain, matrix=matrix, batches=batches, dtype=dtype)
        for index, (inputs, targets) in enumerate(batches):
            expected = (targets.double() / len(targets) @ matrix.double() * inputs.double()).sum(dim=0)
            expect(seen[index], f"movement in step {index}").close_to(
                expected,
                Tolerance("float32 rounding of sums of 8 terms", atol=1e-4),
                why="a region around backward rounds what is float32, and keeps half copies of the weights: close it "
                "before scaled_backward",
                dtype=torch.float32,
            )


def test_master_weights_keep_small_updates(observe, draw):
    """Updates too small for half precision add up in the float32 weights."""
    state, batches, dtype = drawn_state(draw), drawn_batches(draw, count=2) * 4, draw.choice(HALVES)
    seen = observe(scenarios.train_steps, state=state, batches=batches, dtype=dtype, lr=1e-4, scalers=modest(dtype))
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
    """Every train_step starts from fresh gradients."""
    state, batches = drawn_state(draw), drawn_batches(draw, count=3)
    stale = draw.number(5.0, 9.0)
    seen = observe(scenarios.train_steps, state=state, batches=batches, dtype=torch.bfloat16, lr=0.1, stale=stale)
    _, history = reference_training(state, batches, torch.bfloat16, lr=0.1)
    for step, weights in enumerate(history):
        before = history[step - 1] if step else state
        why = "gradients of an earlier step are still there: zero them before backward, in every train_step"
        expect_movement(seen["weights"][step], before, weights, why)


def test_skipped_steps_are_reported(observe, draw):
    """train_step returns the unscaled loss and whether its step was skipped; a skipped one moves nothing."""
    state, pattern = drawn_state(draw), [*draw.pattern(9), True]  # a skip after good steps
    batches, scaler = linear_batches(draw, pattern), {"init_scale": 2.0 ** draw.integer(8, 11)}
    seen = observe(
        scenarios.train_steps,
        state=state,
        batches=batches,
        dtype=torch.float16,
        lr=1e-6,
        criterion="linear",
        scalers={"0": scaler},
        optimizer="momentum",
    )
    why = "train_step returns (loss, step_skipped): True if nothing moved"
    expect(seen["skipped"], "step_skipped").equals(pattern, why)
    for step in (step for step in range(1, len(pattern)) if pattern[step]):
        for key, name in (("weights", "weights"), ("state", "optimizer's state")):
            expect(seen[key][step], f"{name} after skipped step {step}").equals(
                seen[key][step - 1], "a skipped step moves nothing: weights and optimizer are as they were before it"
            )
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
    """The next step uses whatever scaler was assigned to trainer.scaler."""
    state, pattern = drawn_state(draw), draw.pattern(8, share=0.3)
    scales = [2.0 ** draw.integer(4, 11) for _ in pattern]
    scalers = {str(step): {"init_scale": scale} for step, scale in enumerate(scales)}
    batches = linear_batches(draw, pattern)
    seen = observe(
        scenarios.train_steps,
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
        scenarios.train_steps, state=state, batches=batches, dtype=torch.bfloat16, lr=0.1, scalers={"0": growing}
    )
    expected = [scales[0] * 2.0**step for step in (1, 2, 3)]
    expect(seen["scales"], "loss scales of a bfloat16 trainer").equals(expected, f"{why}, whatever the dtype")


def test_step_clips_if_asked(observe, draw):
    """train_step passes max_grad_norm on, 0.0 too."""
    state, batches = drawn_state(draw), drawn_batches(draw, count=2)
    for limit in draw.shuffled((draw.number(0.05, 0.15), 0.0)):
        seen = observe(
            scenarios.train_steps,
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
    """Every train_step runs the model in train mode."""
    weight, modes = draw.normal(3, 8), draw.pattern(6, share=0.5)
    batches = drawn_batches(draw, count=6)
    seen = observe(scenarios.modes_in_steps, weight=weight, batches=batches, modes=modes, dtype=torch.bfloat16)
    expect(seen["modes"], "training mode in train_step").equals(
        [True] * 6, "call model.train() at the start of every step"
    )
    rounding = Tolerance("bfloat16 rounding of the layer below", atol=0.03)
    expect(seen["running_mean"], "batch norm's running mean").close_to(
        running_mean(weight, batches), rounding, "batch norm learns in train mode only, once a step"
    )


def test_epoch_loss_is_the_mean_over_samples(observe, draw):
    """An epoch's loss is the mean over samples, not over batches."""
    for dtype in draw.shuffled(FORMATS):
        state = sharp_state(draw)
        data = uneven_epoch(draw, state)
        seen = observe(scenarios.train_epochs, state=state, epochs=[data], batch_size=4, dtype=dtype, lr=0.0)
        why = "every sample counts alike: a short last batch counts less; only inf and nan ones are left out, no skips"
        tolerance = FLOAT32 if dtype == torch.float32 else HALF_TRAINING
        expect(seen["results"][0]["loss"], "loss").close_to(mean_loss(state, data, dtype), tolerance, why)
    expect_single_pass(observe, draw, "train_epoch")


def test_epoch_trains_on_every_batch(observe, draw):
    """train_epoch makes one train_step of every batch."""
    state, data = drawn_state(draw), [draw.normal(10, 8), draw.integers(10, high=3)]
    batches = [[part[start : start + 4] for part in data] for start in (0, 4, 8)]
    for limit in draw.shuffled((None, draw.number(0.05, 0.15), 0.0)):
        seen = observe(
            scenarios.train_epochs,
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
    """An epoch counts all its steps, and those that were skipped."""
    state, pattern = drawn_state(draw), draw.pattern(11)
    batches = linear_batches(draw, pattern)
    data = [torch.cat([batch[part] for batch in batches]) for part in (0, 1)]
    init_scale = 2.0 ** draw.integer(8, 11)
    seen = observe(
        scenarios.train_epochs,
        state=state,
        epochs=[data],
        batch_size=4,
        dtype=torch.float16,
        lr=1e-6,
        criterion="linear",
        scaler={"init_scale": init_scale},
    )
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
    batches = [infinite_batch(draw, NAN) if bad else batch for bad, batch in zip(pattern, batches, strict=True)]
    data = [torch.cat([batch[part] for batch in batches]) for part in (0, 1)]
    for dtype in draw.shuffled((torch.bfloat16, torch.float32)):
        seen = observe(
            scenarios.train_epochs,
            state=state,
            epochs=[data],
            batch_size=4,
            dtype=dtype,
            lr=1e-6,
            criterion="linear",
        )
        why = "steps are skipped with the scaler off too, where no scale falls: count what train_step reports"
        expect(seen["results"][0]["skipped_steps"], "skipped_steps with the scaler off").equals(sum(pattern), why)


def test_infinite_losses_are_left_out(observe, draw):
    """Batches with an inf or nan loss are left out of the epoch's mean."""
    state, good = drawn_state(draw), linear_batches(draw, [False] * 2)
    losses, _ = reference_training(state, good, torch.float32, 0.0, "linear")
    bad = [infinite_batch(draw, value) for value in (INF, -INF, NAN)]
    epochs = draw.shuffled([("mixed", [*good, *bad]), ("good", good), ("bad", bad)])
    shuffled = [draw.shuffled(batches) for _, batches in epochs]
    data = [[torch.cat([batch[part] for batch in batches]) for part in (0, 1)] for batches in shuffled]
    seen = observe(
        scenarios.train_epochs,
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
    """The sampler is told the number of this epoch before the loader is iterated over."""
    state, data = drawn_state(draw), [draw.normal(4, 8), draw.integers(4, high=3)]
    large = [draw.integer(1, 10**6), draw.integer(1, 10**6)]
    parts = draw.shuffled([[0], [large[0]], [large[1], None]])  # a sampler that is not told keeps the last number
    numbers = [number for part in parts for number in part]
    seen = observe(
        scenarios.train_epochs,
        state=state,
        epochs=[data] * 4,
        batch_size=4,
        dtype=torch.bfloat16,
        lr=0.0,
        numbers=numbers,
    )
    why = "call sampler.set_epoch(epoch) before the loader is iterated over, in every epoch, the first one too"
    expect(seen["told"], "the sampler's epoch when its iteration began").equals(
        [number or 0 for number in numbers], why
    )


def test_empty_loaders_are_refused(observe, draw):
    """An empty loader is a ValueError, in train_epoch and in evaluate."""
    state = sharp_state(draw)
    sets = draw.shuffled([uneven_epoch(draw, state), [torch.zeros(0, 8), torch.zeros(0, dtype=torch.int64)]])
    trained = observe(scenarios.train_epochs, state=state, epochs=sets, batch_size=4, dtype=torch.float32, lr=0.0)
    evaluated = observe(scenarios.evaluations, state=state, sets=sets, batch_size=4, dtype=torch.float32)
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
    """evaluate gives the mean over samples, not over batches."""
    state = sharp_state(draw)
    data = uneven_epoch(draw, state)
    for dtype in draw.shuffled(FORMATS):
        seen = observe(scenarios.evaluations, state=state, sets=[data], batch_size=4, dtype=dtype)
        why = "weight every batch by its number of samples: a short last batch counts less, and is not left out"
        tolerance = FLOAT32 if dtype == torch.float32 else HALF_TRAINING
        expect(seen["losses"][0], "evaluate()").close_to(mean_loss(state, data, dtype), tolerance, why)
    expect_single_pass(observe, draw, "evaluate")


def expect_single_pass(observe, draw, name):
    """The mean over samples of sequences, whose length differs from batch to batch, from a generator."""
    state, sizes = drawn_state(draw), draw.shuffled(((1, 5), (4, 2), (3, 3)))
    batches = [[draw.normal(*size, 8), draw.away_from_zero(*size, 3)] for size in sizes]
    losses, _ = reference_training(state, batches, torch.float32, 0.0, "linear")
    mean = sum(loss * size[0] for loss, size in zip(losses, sizes, strict=True)) / sum(size[0] for size in sizes)
    seen = observe(scenarios.single_passes, state=state, batches=batches, dtype=torch.float32)
    why = "a sample is a row, however long it is; a loader may be an iterable that can be gone through once only"
    expect(seen[name], f"loss of {name} on sequences from a generator").close_to(mean, FLOAT32, why)


def test_evaluate_measures_with_the_criterion(observe, draw):
    """evaluate gives the criterion the outputs and targets as they are."""
    state, batches = drawn_state(draw), linear_batches(draw, draw.pattern(3))
    seen = observe(
        scenarios.evaluations, state=state, sets=batches, batch_size=2, dtype=torch.float16, criterion="linear"
    )
    losses, _ = reference_training(state, batches, torch.float32, 0.0, "linear")
    for number, (_, targets) in enumerate(batches):
        rounding = Tolerance("float16 rounding of the outputs", atol=0.005 * targets.abs().max().item())
        why = "the criterion gets outputs and targets as they are; float targets stay float32"
        expect(seen["losses"][number], f"evaluate() of data set {number}").close_to(losses[number], rounding, why)


def test_evaluate_computes_in_the_dtype(observe, draw):
    """The forward pass of evaluate runs in the trainer's dtype."""
    state, data = drawn_state(draw), [draw.normal(4, 8), draw.integers(4, high=3)]
    for dtype in draw.shuffled(FORMATS):
        seen = observe(scenarios.evaluations, state=state, sets=[data], batch_size=4, dtype=dtype)
        expected = linear_in(dtype, data[0], state["0.weight"]) + state["0.bias"].double()
        tolerance = FLOAT32 if dtype == torch.float32 else HALF_LINEAR
        expect(seen["hidden"], "the first Linear in evaluate").close_to(
            expected,
            tolerance,
            dtype=dtype,
            why="evaluate in the precision that was trained in, or the losses are not comparable",
        )


def test_evaluate_leaves_the_model_alone(observe, draw):
    """evaluate runs in eval mode without gradients and puts the mode back."""
    weight, data = draw.normal(3, 8), [draw.normal(7, 8), draw.integers(7, high=3)]
    modes, dtype = draw.pattern(8, share=0.5), draw.choice(FORMATS)
    seen = observe(scenarios.evaluation_leaves_behind, weight=weight, data=data, modes=modes, dtype=dtype)
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
    """get_scaler_state reports what the scaler holds now, also if it was loaded some steps ago."""
    settings, trackers, patterns = [], [], []
    for ends_in_skip, loaded in draw.shuffled(
        [(False, False), (False, True), (True, False), (True, True), (True, True)]
    ):
        settings.append(
            {
                "init_scale": 2.0 ** draw.integer(8, 12),
                "growth_factor": draw.choice((2.0, 4.0)),
                "backoff_factor": 0.25,
                "growth_interval": draw.integer(50, 90),
            }
        )
        patterns.append([*draw.pattern(3), *([True] if ends_in_skip else [False] * draw.integer(1, 3))])
        trackers.append(draw.integer(1, 40) if loaded else None)
    settings.append({"enabled": False})
    patterns.append(draw.pattern(3))
    trackers.append(None)
    batches = [linear_batches(draw, pattern) for pattern in patterns]
    seen = observe(
        scenarios.scaler_states, state=drawn_state(draw), batches=batches, settings=settings, trackers=trackers
    )
    for one, pattern, tracker, state in zip(settings, patterns, trackers, seen, strict=True):
        if one.get("enabled", True):
            good, scale = pattern[::-1].index(True), one["init_scale"] / (1 if tracker is None else 2)
            expected = {"enabled": True, "scale": scale * 0.25 ** sum(pattern), "growth_tracker": good}
            expected |= {name: one[name] for name in ("growth_factor", "backoff_factor", "growth_interval")}
            after = "" if tracker is None else " some steps after a state was loaded"
            expect(state, f"get_scaler_state(){after}").equals(
                expected, "report what the scaler holds now, tracker and settings too"
            )
        else:
            shown = {name: value for name, value in state.items() if name != "scale"}
            expect(shown, "get_scaler_state() of a disabled scaler").equals(
                {"enabled": False, "growth_tracker": 0},
                "report a scaler that is off too: its own state_dict() is empty, and it has no settings",
            )
            expect(state.get("scale"), "its scale").close_to(1.0, EXACT, "a disabled scaler multiplies by 1")


def test_saved_state_continues_the_training(observe, draw):
    """A new trainer that loads the state goes on as if nothing had happened."""
    state, head, counted = drawn_state(draw), [False, *draw.pattern(4), True], draw.integer(1, 2)
    pattern = [*head, False, False, False, True, *draw.pattern(3)]  # the scale grows once, by a count that began before
    batches, stop = linear_batches(draw, pattern), len(head) + counted
    scaler = {"init_scale": 2.0 ** draw.integer(10, 12), "growth_interval": 3, "growth_factor": 2.0}
    seen = observe(scenarios.interrupted_training, state=state, batches=batches, stop=stop, scaler=scaler, lr=1e-3)
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
    """The saved state holds the model's buffers too."""
    weight, batches = draw.normal(3, 8), drawn_batches(draw, count=4)
    seen = observe(scenarios.restored_buffers, weight=weight, batches=batches)
    rounding = Tolerance("bfloat16 rounding of the layer below", atol=0.03)
    why = "a model's state is more than its parameters: model.state_dict() has the buffers too"
    expect(seen, "batch norm's running mean after loading").close_to(running_mean(weight, batches), rounding, why)


def test_milestone_mixed_precision_training(observe, draw, record_property):
    """float16 training of the digits learns, survives overflows and saves memory."""
    torch.manual_seed(draw.integer(0, 2**31))
    state, (images, labels) = plain(SimpleModel(64, 128, 10, num_layers=3)), digits()
    chosen = torch.randperm(len(labels))
    train, held_out = chosen[:1400], chosen[1400:]
    order, many = draw.integers(60, 64, high=1400), draw.integers(256, high=1400)
    names = torch.randperm(10)  # every digit gets another label, so that nothing learnt before helps
    seen = observe(
        scenarios.milestone,
        state=state,
        images=images[train],
        labels=names[labels[train]],
        order=order,
        many=many,
        init_scale=2.0**24,
    )
    model = small_model(seen["weights"])
    accuracy = (model(images[held_out]).argmax(dim=1) == names[labels[held_out]]).float().mean().item()
    why = "the pieces are there, but together they do not train: run the steps before this one again"
    expect(1.0 - accuracy, "share of unseen digits that are read wrongly").less_than(0.15, why)
    first = F.cross_entropy(small_model(state)(images[train][order[0]]), names[labels[train]][order[0]]).item()
    rounding = Tolerance("float16 rounding of the logits", rtol=0.02)
    expect(seen["losses"][0], "loss of the first step").close_to(
        first, rounding, "train_step returns the unscaled loss"
    )
    expect(sum(seen["losses"][-5:]) / 5, "loss at the end").less_than(0.5 * seen["losses"][0], why)
    skips = sum(seen["skipped"])
    expect(seen["scale"], "loss scale at the end").close_to(
        2.0**24 * 0.5**skips, EXACT, "every skip halves the scale, and nothing else"
    )
    expect(skips, "skipped steps").more_than(0, "a scale of 2^24 overflows float16: steps are skipped, and survived")
    share = seen["peak_bytes"]["float16"] / seen["peak_bytes"]["float32"]
    for_memory = expect(share, "peak memory of a step, against float32")
    for_memory.less_than(1.0, "float16 halves the activations")
    for_memory.more_than(0.25, "float16 halves the activations, and the float32 weights and gradients stay")
    banner = milestone_banner(torch.float16, True, seen["losses"][0], seen["losses"][-1], skips, 1.0 - share)
    record_property("note", f"The milestone of this test, a shorter run than the handout's:\n{banner}")


def test_evaluate_puts_every_mode_back(observe, draw):
    """Every submodule is in its own mode again after evaluate, also if the model or the criterion raised."""
    weight, data = draw.normal(3, 8), [draw.normal(5, 8), draw.integers(5, high=3)]
    endings = draw.shuffled(["returns", "returns", "model", "criterion", "empty"])
    modes = [draw.pattern(11, share=0.5) for _ in endings]  # of 11 modules
    for given in modes[:3]:
        given[9] = not given[7]  # the last container and the dropout that it shares with the one before
    seen = observe(scenarios.modes_after_evaluation, weight=weight, data=data, modes=modes, endings=endings)
    texts = {"returns": "", "model": " that the model ended", "criterion": " that the criterion ended"}
    for given, ending, after in zip(modes, endings, seen, strict=True):
        what = f"modes of model and submodules after an evaluate{texts.get(ending, ' of an empty loader')}"
        why = "a layer that was kept in eval mode stays in it: note the mode of every module, put all back in a finally"
        expect(after, what).equals(given, why)


def test_evaluate_counts_infinite_losses(observe, draw):
    """evaluate leaves no batch out: the mean is inf or nan if one batch's loss is."""
    state, sets, expected = drawn_state(draw), [], []
    for value in draw.shuffled((None, INF, NAN, None)):
        batches = linear_batches(draw, [False] * 3)
        if value is None:
            expected.append(sum(reference_training(state, batches, torch.float32, 0.0, "linear")[0]) / 3)
        else:
            place = draw.integer(0, 2)
            batches[place] = infinite_batch(draw, value)
            expected.append(reference_training(state, [batches[place]], torch.float32, 0.0, "linear")[0][0])
        sets.append([torch.cat([batch[part] for batch in batches]) for part in (0, 1)])
    seen = observe(scenarios.evaluations, state=state, sets=sets, batch_size=4, dtype=torch.float32, criterion="linear")
    for index, loss in enumerate(expected):
        why = "a model that diverged must not look well: only train_epoch leaves such a batch out"
        expect(seen["losses"][index], f"evaluate() of data set {index}").close_to(loss, FLOAT32, why)


def test_scaler_state_is_reported_before_a_step(observe, draw):
    """get_scaler_state reports a scaler that was just loaded or assigned."""
    saved = [
        {
            "scale": 2.0 ** draw.integer(-4, 20),
            "growth_factor": draw.choice((2.0, 4.0)),
            "backoff_factor": draw.choice((0.25, 0.5)),
            "growth_interval": draw.integer(100, 900),
            "_growth_tracker": draw.integer(1, 99),
        }
        for _ in range(6)
    ]
    seen = observe(scenarios.scaler_states_after_loading, state=drawn_state(draw), saved=saved)
    for index, (one, report) in enumerate(zip(saved, seen, strict=True)):
        expected = {"enabled": True, "growth_tracker": one["_growth_tracker"]}
        expected |= {name: value for name, value in one.items() if name != "_growth_tracker"}
        what = f"get_scaler_state() right after a scaler was {'loaded' if index % 2 else 'assigned'}"
        expect(report, what).equals(
            expected, "ask the scaler, now: its tensors are made in the first step, its state_dict() knows before"
        )


def test_state_that_does_not_fit_changes_nothing(observe, draw):
    """A state that does not fit is a ValueError, and then neither weights nor loss scale have changed."""
    states, scale = [drawn_state(draw), drawn_state(draw)], 2.0 ** draw.integer(4, 12)
    kinds = draw.shuffled(["off", "shape", "names", "fits", "off", "buffer", "fewer", "into off"])
    seen = observe(scenarios.states_that_do_not_fit, states=states, kinds=kinds, scaler={"init_scale": scale})
    texts = {
        "off": "of a trainer whose scaler was off",
        "shape": "of a model with another output",
        "names": "of a model with one layer more",
        "buffer": "of a model with another buffer",
        "fewer": "of a model with one buffer less",
        "fits": "that fits",
        "into off": "that fits, with the scaler off",
    }
    for kind, one in zip(kinds, seen, strict=True):
        why = "check names, shapes and the scaler's state first, then load: half a state is worse than none"
        fits, after = kind in ("fits", "into off"), f"after a state {texts[kind]}"
        if fits:
            expect(one["error"], "load_state_dict of a state that fits").equals(None, "it fits: load it")
        else:
            expect_value_error(one["error"], f"load_state_dict of a state {texts[kind]}", [])
        state = states[1 if fits else 0]
        for name, value in (state | {"marks": state["3.bias"]}).items():
            expect(one["weights"][name], f"{name} {after}").close_to(value, EXACT, why)
        scales = {"fits": 65536.0, "into off": 1.0}
        expect(one["scale"], f"loss scale {after}").equals(scales.get(kind, scale), why)
