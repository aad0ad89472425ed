"""Step 4, images: one behaviour a test, judged by the values that a scenario brought back."""

import itertools

import torch
from torch import Tensor

from labkit.judge.expect import Tolerance, expect, expect_error
from references.capstones.step_4 import (
    Run,
    block,
    drawn_batches,
    drawn_block,
    drawn_resnet,
    drawn_table,
    drawn_weights,
    logits_gradient,
    resnet,
    resnet_shapes,
    table_loss,
    table_right,
    tags,
)
from scenarios.capstones import step_4 as scenarios

EXACT = Tolerance("nothing is rounded on the way", atol=0.0)
FLOAT32 = Tolerance("float32 rounding over a few small layers and steps", rtol=1e-4, atol=1e-4)
ONE_SUM = Tolerance("float32 rounding of one small sum", rtol=1e-5, atol=1e-5)
HALF = Tolerance("float16 rounding of the logits' gradient", rtol=2e-3, atol=2e-3)
BFLOAT16 = Tolerance("bfloat16 rounding of what batch norm gets", rtol=2e-2, atol=2e-2)
DTYPES = (torch.float32, torch.bfloat16, torch.float16)
NETWORK = 8  # modules of the scenarios' TinyNetwork


def expect_state(seen: object, expected: dict[str, Tensor], what: str, why: str, tolerance: Tolerance) -> None:
    """A dict of float32 tensors with these names, close to those expected."""
    expect(sorted(seen) if isinstance(seen, dict) else seen, f"{what}: names").equals(sorted(expected), why)
    for name, value in expected.items():
        expect(seen[name], f"{what}: {name}").close_to(value, tolerance, why, torch.float32)


def drawn_sizes(draw, count: int, low: int = 2) -> list[int]:
    """Of batches, all different."""
    return draw.shuffled(range(low, low + 6))[:count]


# ResidualBlock and small_resnet


def test_residual_block_has_its_named_weights(observe, draw):
    """The state dict of a block has the names, shapes and float32 of the docstring; its norms begin as PyTorch's do."""
    into, out = draw.shuffled(range(1, 12))[:2]
    sizes = draw.shuffled([[into, out], [out, out], [into, into, 2], [out, into, 3], [draw.integer(1, 9)] * 2])
    seen = observe(scenarios.blocks, sizes=sizes)
    for size, found in zip(sizes, seen, strict=True):
        state = drawn_block(draw, *size)
        begins = {name: torch.tensor(float(name.endswith(("weight", "var")))) for name in state}
        expected = {
            name: [torch.float32, list(value.shape), *([begins[name]] * 2 if value.dim() == 1 else [])]
            for name, value in state.items()
        }
        why = "two convolutions without bias, two norms, and a shortcut with parameters only where the shapes differ"
        expect(found, f"state of a block of {size}").equals(dict(sorted(expected.items())), why)


def _expect_blocks(observe, draw, sizes: list, training: bool, why: str) -> None:
    cases = [
        {"size": size, "state": drawn_block(draw, *size), "training": training,
         "x": draw.normal(draw.integer(2, 3), size[0], draw.integer(3, 6), draw.integer(3, 6))}
        for size in sizes
    ]  # fmt: skip
    seen = observe(scenarios.block_outputs, cases=cases)
    for case, one in zip(cases, seen, strict=True):
        output, learnt = block(case["x"], case["state"], (*case["size"], 1)[2], training)
        what = f"block of {case['size']}, {'train' if training else 'eval'} mode"
        expect(one["output"], what).close_to(output, FLOAT32, why, torch.float32)
        kept = {name: value for name, value in case["state"].items() if "running" in name}
        expect_state(one["state"], kept | learnt, what, why, FLOAT32)
        expect(one["x"], f"{what}: the input afterwards").equals(case["x"], "the input belongs to the caller")


def test_residual_block_adds_its_input(observe, draw):
    """A block of equal shapes adds x itself to what its two convolutions give, before the last relu."""
    sizes = [[channels, channels] for channels in draw.shuffled(range(1, 5))[:2]]
    why = "relu(norm2(conv2(relu(norm1(conv1(x))))) + x), with the running statistics in eval mode"
    _expect_blocks(observe, draw, sizes, False, why)


def test_residual_block_changes_shapes_on_the_shortcut(observe, draw):
    """Where stride or channels change, the shortcut is a 1x1 convolution with the stride, and a batch norm."""
    into, out = draw.shuffled(range(1, 5))[:2]
    sizes = draw.shuffled([[into, out], [into, into, 2], [into, out, 2], [out, into, 3]])
    why = "conv1 and the shortcut's 1x1 convolution have the stride, conv2 has 1; no relu on the shortcut"
    _expect_blocks(observe, draw, sizes, False, why)


def test_residual_block_normalizes_by_the_batch(observe, draw):
    """In train mode each norm uses the statistics of its batch, and moves its own running statistics towards them."""
    into, out = draw.shuffled(range(1, 5))[:2]
    sizes = draw.shuffled([[into, into], [into, out], [out, out, 2]])
    why = "each convolution has a norm of its own, which runs once, with momentum 0.1 and eps 1e-5"
    _expect_blocks(observe, draw, sizes, True, why)


def test_small_resnet_has_its_parameters(observe, draw):
    """The network has a stem, three blocks of 1, 2 and 4 times the width, and a linear layer, at any width."""
    settings = [{"width": width, "classes": draw.integer(2, 30)} for width in draw.shuffled(range(1, 9))[:3]]
    settings = draw.shuffled([*settings, {}, {"width": draw.integer(9, 12)}, {"classes": draw.integer(2, 30)}])
    seen = observe(scenarios.resnet_shapes, settings=settings)
    for given, shapes in zip(settings, seen, strict=True):
        why = "width is 16 and classes is 10 by default; convolutions have no bias, the linear layer has one"
        expect(shapes, f"shapes of the parameters of small_resnet({given})").equals(resnet_shapes(**given), why)


def test_small_resnet_computes_its_layers(observe, draw):
    """The logits are those of stem, blocks, mean over positions and linear layer, for images of any size."""
    for width in draw.shuffled(range(1, 5))[:2]:
        classes = draw.choice([5, 6, 7])
        layers = drawn_resnet(draw, width, classes)
        images = [draw.normal(count, 1, draw.integer(5, 9), draw.integer(5, 9)) for count in (1, 2)]
        seen = observe(scenarios.resnet_outputs, width=width, classes=classes, layers=layers, images=images)
        for x, logits in zip(images, seen, strict=True):
            why = "relu after the first norm; strides 1, 2 and 2; the mean (not the maximum) over all positions"
            expect(logits, f"logits of images {tuple(x.shape)}").close_to(resnet(x, layers), FLOAT32, why, x.dtype)


# train_images


def test_images_are_trained_on_batch_by_batch(observe, draw):
    """Each batch makes one step, in order and in each epoch; older gradients and the test images have no part."""
    weights, rates = drawn_weights(draw), [draw.number(0.1, 0.5) for _ in range(3)]
    train, test = (drawn_batches(draw, drawn_sizes(draw, count)) for count in (3, 2))
    old = [draw.normal(*value.shape, scale=5.0) for name, value in weights.items() if "running" not in name]
    seen = observe(
        scenarios.train, weights=weights, train=train, test=test, rates=rates, old=old, report=["state"]
    )  # fmt: skip
    why = "zero_grad before each backward, one step a batch with the rate of its epoch, nothing learnt from test"
    expect_state(seen["state"], Run(weights, train, test, rates).states[-1], "after training", why, FLOAT32)


def test_images_scheduler_moves_once_an_epoch(observe, draw):
    """All batches of an epoch have its learning rate, which is also reported, whether steps are skipped or not."""
    epochs = 3
    train, test = drawn_batches(draw, drawn_sizes(draw, 3)), drawn_batches(draw, [2])
    rates = [draw.number(0.05, 0.5) for _ in range(epochs + 1)]
    skips = draw.integer(0, epochs - 1)  # in this epoch all steps are skipped
    seen = observe(
        scenarios.train, weights=drawn_weights(draw), train=train, test=test, rates=rates, runs=["grad", "lr"],
        spoils=[[tag, [int(epoch == skips) for epoch in range(epochs)]] for tag in tags(train)],
        second=draw.number(2.0, 3.0), report=["history", "runs", "lr"],
    )  # fmt: skip
    while_training = [run[2] for run in seen["runs"] if run[1] is True]
    why = "scheduler.step() once an epoch, after its last batch; lr is that of the first group before it"
    expect(while_training, "learning rates of the steps").equals([rate for rate in rates[:-1] for _ in train], why)
    expect([one.get("lr") for one in seen["history"]], "lr in the history").equals(rates[:-1], why)
    expect(seen["lr"], "learning rate after the last epoch").equals(rates[-1], why)


def _runs(
    observe, draw, dtype: torch.dtype, items: list, around: torch.dtype = torch.float32, of_model: bool = False
) -> tuple[list, list, dict]:
    """Two epochs on two batches, measured on two, in a region of autocast; the tags of all of them.

    `of_model` is whether the model itself is in train mode before; for its modules that is drawn.
    """
    weights = drawn_weights(draw)
    train, test = (drawn_batches(draw, drawn_sizes(draw, 2, low=3)) for _ in range(2))
    seen = observe(
        scenarios.train, weights=weights, train=train, test=test, rates=[0.001] * 3, dtype=dtype, runs=items,
        modes=[of_model, *draw.pattern(NETWORK - 1, share=0.5)], around=around, report=["runs", "training"],
    )  # fmt: skip
    return tags(train), tags(test), seen


def test_images_run_under_autocast(observe, draw):
    """Training and measuring run under autocast in dtype, float32 without; images and parameters stay float32."""
    other = {torch.float32: draw.choice(DTYPES[1:]), torch.bfloat16: torch.float16, torch.float16: torch.bfloat16}
    for dtype in draw.shuffled(DTYPES):
        train, test, seen = _runs(observe, draw, dtype, ["autocast", "inputs", "parameters"], other[dtype])
        found = [[tag, autocast, inputs[0], [one[0] for one in parameters]]
                 for tag, autocast, inputs, parameters in seen["runs"]]  # fmt: skip
        expected = [[tag, dtype, torch.float32, [torch.float32] * 5] for tag in (train + test) * 2]
        why = "every run of the model is in a region of its own: for float32 a disabled one, also inside of another"
        expect(found, "runs: [first pixel, autocast, images, parameters]").equals(expected, why)


def test_images_run_with_the_weights_of_the_last_step(observe, draw):
    """Each run of the model computes with the weights that it has then, not with what autocast kept of earlier ones."""
    for dtype in draw.shuffled(DTYPES[1:]):
        train, test = (drawn_batches(draw, drawn_sizes(draw, 3, low=3)) for _ in range(2))
        seen = observe(
            scenarios.train, weights=drawn_weights(draw), train=train, test=test, rates=[0.05] * 3, dtype=dtype,
            runs=["fresh"], report=["runs"],
        )  # fmt: skip
        why = "autocast keeps the casts of weights until its region ends: a region for each run of the model"
        expected = [[tag, True] for tag in (tags(train) + tags(test)) * 2]
        expect(seen["runs"], f"runs, {dtype}: [first pixel, current weights?]").equals(expected, why)


def test_images_are_channels_last(observe, draw):
    """Images for training and for measuring, and the convolutions' weights, are in channels_last memory format."""
    for dtype in draw.shuffled(DTYPES[:2]):
        train, test, seen = _runs(observe, draw, dtype, ["inputs", "parameters"])
        found = [[tag, inputs[1], [one[1] for one in parameters if one[1] is not None]]
                 for tag, inputs, parameters in seen["runs"]]  # fmt: skip
        expected = [[tag, True, [True]] for tag in (train + test) * 2]
        why = "model.to(memory_format=torch.channels_last), and the same for every batch of images"
        expect(found, "runs: [first pixel, images channels last?, weights?]").equals(expected, why)


def test_images_train_in_train_mode_and_measure_in_eval_mode(observe, draw):
    """All modules are in train mode in training and at the end, in eval mode and without gradients in measuring."""
    for dtype, of_model in zip(DTYPES[:2], draw.shuffled((True, False)), strict=True):
        train, test, seen = _runs(observe, draw, dtype, ["training", "grad"], of_model=of_model)
        epoch = [[tag, [True] * NETWORK, True] for tag in train] + [[tag, [False] * NETWORK, False] for tag in test]
        why = "model.train() before the batches of every epoch, model.eval() and no_grad before measuring"
        expect(seen["runs"], "runs: [first pixel, training, gradients?]").equals(epoch * 2, why)
        expect(seen["training"], "training afterwards").equals([True] * NETWORK, "measuring leaves eval mode again")


def test_images_batch_norm_learns_in_float32(observe, draw):
    """Running statistics follow the training batches in float32, also under autocast, and are used in measuring."""
    weights = drawn_weights(draw)
    train, test = (drawn_batches(draw, drawn_sizes(draw, 2, low=3)) for _ in range(2))
    for dtype in draw.shuffled(DTYPES):
        seen = observe(
            scenarios.train, weights=weights, train=train, test=test, rates=[0.0] * 3, dtype=dtype, report=["state"]
        )
        tolerance = FLOAT32 if dtype == torch.float32 else BFLOAT16
        why = "batch norm is in train mode in training, in eval mode in measuring, and is not converted to half"
        expect_state(seen["state"], Run(weights, train, test, [0.0] * 3).states[-1], f"{dtype}", why, tolerance)


def test_images_history_has_numbers_for_each_epoch(observe, draw):
    """There is a dict for each epoch, with the numbers loss, accuracy, lr and skipped of that epoch."""
    while True:
        weights, rates = drawn_weights(draw), [draw.number(0.2, 0.9) for _ in range(draw.integer(4, 5))]
        train, test = (drawn_batches(draw, drawn_sizes(draw, 3)) for _ in range(2))
        run = Run(weights, train, test, rates)
        if len(set(run.accuracies)) > 1:  # the epochs differ in it
            break
    (history,) = observe(
        scenarios.train, weights=weights, train=train, test=test, rates=rates, report=["history"]
    ).values()
    expect(len(history), "epochs in the history").equals(len(rates) - 1, "one dict for each epoch")
    for epoch, one in enumerate(history):
        expect(sorted(one), f"keys of epoch {epoch}").equals(["accuracy", "loss", "lr", "skipped"], "as documented")
        why = "each epoch's own loss and accuracy, of the weights and running statistics of then"
        expect(one["loss"], f"loss of epoch {epoch}").close_to(run.losses[epoch], FLOAT32, why)
        expect(one["accuracy"], f"accuracy of epoch {epoch}").close_to(run.accuracies[epoch], FLOAT32, why)
        expect(one["lr"], f"lr of epoch {epoch}").close_to(rates[epoch], EXACT, why)
        expect(one["skipped"], f"skipped in epoch {epoch}").close_to(0, EXACT, why)


def _known_runs(observe, draw, dtype: torch.dtype) -> tuple[list, list, dict]:
    """An epoch of a model whose logits are known: [logits, labels] of training and of test, and the history."""
    sizes = [draw.shuffled(range(3, 10))[:3] for _ in range(2)]
    train, test = (drawn_batches(draw, some) for some in sizes)
    table = drawn_table(draw, [*train, *test])
    seen = observe(
        scenarios.train, table=table, train=train, test=test, rates=[0.0, 0.0], dtype=dtype, report=["history"]
    )
    known = [(logits, labels) for (_, logits), (_, labels) in zip(table, [*train, *test], strict=True)]
    return known[: len(train)], known[len(train) :], seen


def test_images_loss_is_a_float32_mean_over_samples(observe, draw):
    """The loss of an epoch counts every sample once, in batches of any size, and is float32 for half logits too."""
    for dtype in draw.shuffled(DTYPES):
        train, _, seen = _known_runs(observe, draw, dtype)
        expected = sum(table_loss(*batch) for batch in train) / sum(len(labels) for _, labels in train)
        why = "multiply each batch's mean loss by its samples, and divide by all samples; logits.float() first"
        expect(seen["history"][0]["loss"], f"loss, {dtype}").close_to(expected, ONE_SUM, why)


def test_images_accuracy_is_a_share_of_all_test_images(observe, draw):
    """The accuracy counts every test image once, in batches of any size."""
    for dtype in draw.shuffled(DTYPES * 2):
        _, test, seen = _known_runs(observe, draw, dtype)
        expected = sum(table_right(*batch) for batch in test) / sum(len(labels) for _, labels in test)
        why = "right answers of all batches, divided by all test images"
        expect(seen["history"][0]["accuracy"], f"accuracy, {dtype}").close_to(expected, ONE_SUM, why)


def test_images_overflow_skips_its_step(observe, draw):
    """A step with an inf or nan in its gradients is skipped and counted, in every dtype; its loss counts."""
    epochs, weights = 2, drawn_weights(draw)
    for dtype in draw.shuffled(DTYPES):
        train, test = drawn_batches(draw, draw.shuffled(range(3, 9))[:4]), drawn_batches(draw, [3])
        patterns = [draw.shuffled([bad] * 3 + [not bad]) for bad in draw.shuffled((True, False))]  # 4 in all
        kinds = itertools.cycle(draw.shuffled((1, 2, 3)))
        bad = [list(of_batch) for of_batch in zip(*patterns, strict=True)]
        spoils = [[tag, [next(kinds) if one else 0 for one in of_batch]]
                  for tag, of_batch in zip(tags(train), bad, strict=True)]  # fmt: skip
        # In 16 bits a network of drawn weights may overflow by itself, and batch norm of few numbers goes its own way.
        known = dtype != torch.float32
        model = {"table": drawn_table(draw, [*train, *test])} if known else {"weights": weights}
        rates = [0.3] * (epochs + 1)
        seen = observe(
            scenarios.train, train=train, test=test, rates=rates, dtype=dtype, spoils=spoils,
            report=["history", "moved", "state"], **model,
        )  # fmt: skip
        why = "look for inf and nan in the gradients, also without a loss scale, and leave out that step alone"
        expected = [[tag, not one] for one_epoch in patterns for tag, one in zip(tags(train), one_epoch, strict=True)]
        expect(seen["moved"], f"steps, {dtype}: [first pixel, weights moved?]").equals(expected, why)
        run = Run(weights, train, test, rates, bad)
        for one, pattern, loss in zip(seen["history"], patterns, run.losses, strict=True):
            expect(one["skipped"], f"skipped, {dtype}").close_to(pattern.count(True), EXACT, why)
            if not known:
                expect(one["loss"], f"loss, {dtype}").close_to(loss, FLOAT32, "skipped steps count in the loss too")
        if dtype == torch.float32:
            expect_state(seen["state"], run.states[-1], "after training", why, FLOAT32)


def test_images_scale_the_loss_in_float16_alone(observe, draw):
    """What goes backward in float16 is the loss times a scale that begins at 65536 and lives as long as training."""
    for dtype in draw.shuffled(DTYPES):
        train = drawn_batches(draw, draw.shuffled(range(3, 9))[:4])
        table = drawn_table(draw, train)
        patterns = [[*draw.pattern(3), False] for _ in range(2)]  # a step after each overflow shows the new scale
        spoils = [[tag, [int(one) for one in of_batch]]
                  for tag, of_batch in zip(tags(train), zip(*patterns, strict=True), strict=True)]  # fmt: skip
        seen = observe(
            scenarios.train, table=table, train=train, test=train, rates=[0.0] * 3, dtype=dtype, spoils=spoils,
            runs=["grad", "gradients"], report=["runs"],
        )  # fmt: skip
        runs = [run for run in seen["runs"] if run[1] is True]
        expect([run[0] for run in runs], "first pixels of the batches").equals(tags(train) * 2, "each batch once")
        scale = 65536.0 if dtype == torch.float16 else 1.0
        overflows = [bad for pattern in patterns for bad in pattern]
        for run, bad, (_, labels), (_, logits) in zip(runs, overflows, train * 2, table * 2, strict=True):
            expected = logits_gradient(logits, labels)
            tolerance = HALF if dtype == torch.float16 else BFLOAT16
            why = f"the loss scale is {scale:g} in this step: one GradScaler, updated after every step"
            found = run[2][0].double() / scale if len(run[2]) == 1 and isinstance(run[2][0], Tensor) else run[2]
            expect(found, f"gradient of the logits, {dtype}, / {scale:g}").close_to(expected, tolerance, why)
            scale *= 0.5 if bad and dtype == torch.float16 else 1.0


def test_images_refuse_what_cannot_be_trained(observe, draw):
    """Without batches to train or to test on, or with less than one epoch, a ValueError comes before any change."""
    weights = drawn_weights(draw)
    train, test = (drawn_batches(draw, [3]) for _ in range(2))
    old = [draw.normal(*value.shape) for name, value in weights.items() if "running" not in name]
    calls = draw.shuffled([[False, True, 1], [True, False, 1], [True, True, 0], [True, True, -draw.integer(1, 5)]])
    seen = observe(scenarios.refused, weights=weights, old=old, train=train, test=test, calls=calls)
    for (trains, tests, epochs), one in zip(calls, seen, strict=True):
        what = f"train_images({'train' if trains else '[]'}, {'test' if tests else '[]'}, epochs={epochs})"
        expect_error(one["raised"], what, "ValueError", "check the arguments before anything else")
        why = "weights, gradients, modes, memory format and learning rate stay as they were"
        expect_state(one["state"], weights, f"{what}: afterwards", why, EXACT)
        expect(one["gradients"], f"{what}: gradients").equals(old, why)
        left = [one["training"], one["runs"], one["channels_last"], one["lr"]]
        expect(left, f"{what}: [training, runs, channels_last, lr]").equals([False, 0, False, 0.5], why)
