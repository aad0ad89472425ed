"""Step 3, a sharded model: one behaviour a test, judged by the values that a scenario brought back."""

import itertools

import torch

from labkit.judge.expect import Tolerance, expect
from references.sharded.common import Sgd, drawn_sizes, drawn_state, drawn_steps, gradients_of, outputs_of, trained
from references.sharded.step_3 import drawn_tensors
from references.sharded.step_3 import trained as trained_structure
from scenarios.sharded import step_3 as scenarios
from suites.sharded.both import (
    expect_alive,
    expect_reduced,
    expect_small_updates,
    expect_start,
    expect_step_bytes,
    sorted_numbers,
)
from suites.sharded.common import FLOAT32, expect_training, expect_value_error, expect_weights

BOTH = (True, False)


def test_all_ranks_start_from_rank_0(observe, draw):
    """Parameters and buffers are rank 0's on every rank, whatever the others had."""
    expect_start(observe, draw, "sharded")


def test_sharded_model_trains_like_one_process_with_sgd(observe, draw):
    """SGD with momentum over the shards makes the steps of one process on the batches of both ranks."""
    for reshard in draw.shuffled(BOTH):
        expect_training(observe, draw, "sharded", "sgd", {"reshard": reshard})


def test_sharded_model_trains_like_one_process_with_adamw(observe, draw):
    """So does AdamW, with weight decay."""
    expect_training(observe, draw, "sharded", "adamw")


def test_four_ranks_train_like_one_process(observe, draw):
    """On four ranks it is the mean of four gradients, and a shard is a quarter."""
    expect_training(observe, draw, "sharded", "sgd", ranks=4, steps=2)


def test_gradients_of_micro_batches_add_up(observe, draw):
    """Several backward passes before a step add their averages up in the shards."""
    for reshard in draw.shuffled(BOTH):
        options, micro_batches = {"reshard": reshard}, draw.integer(2, 3)
        expect_training(observe, draw, "sharded", "sgd", options, steps=2, micro_batches=micro_batches)
        sizes, lr = drawn_sizes(draw), draw.number(0.01, 0.02)
        state, steps = drawn_state(draw, sizes), drawn_steps(draw, sizes, 2, micro_batches=2)
        history = trained(state, steps, Sgd(lr))
        seen = observe(scenarios.two_at_once, ranks=2, state=state, steps=steps, lr=lr, reshard=reshard)
        for rank, step in itertools.product(range(2), range(2)):
            expect_weights(
                seen[rank][step], history[step], f"on rank {rank} after step {step + 1}",
                "two forward passes may come before their two backward passes",
            )  # fmt: skip
    signs = draw.away_from_zero(draw.integer(3, 5), draw.integer(3, 5)).sign()
    passes = draw.shuffled([signs * 256, torch.ones_like(signs)])
    seen = observe(
        scenarios.reduced, ranks=2, way="sharded", gradients=[passes] * 2, dtype=torch.float32,
        options={"reduce_dtype": torch.bfloat16},
    )  # fmt: skip
    expect(sorted_numbers(seen), "gradients of two backward passes, sorted, reduce_dtype torch.bfloat16").equals(
        (signs * 256 + 1).flatten().sort().values, "256 + 1 is 256 in bfloat16: add up in float32 what was reduced"
    )


def test_every_pass_computes_with_the_weights_of_then(observe, draw):
    """A forward pass right after a step has the new weights: in training, in evaluation, kept gathered or not."""
    for reshard in draw.shuffled(BOTH):
        between = draw.shuffled([["train"], draw.shuffled(["no_grad", "train", "eval"]), ["no_grad"]])
        sizes, lr = drawn_sizes(draw), draw.number(0.02, 0.05)
        state, steps = drawn_state(draw, sizes), drawn_steps(draw, sizes, len(between))
        history = [[one.double() for pair in state for one in pair], *trained(state, steps, Sgd(lr))]
        seen = observe(scenarios.fresh, ranks=2, state=state, steps=steps, lr=lr, reshard=reshard, between=between)
        step_of = [step for step, kinds in enumerate([*between, between[0]]) for _ in range(2 * len(kinds) + 1)]
        for rank, one in enumerate(seen):
            expect(len(one), f"passes on rank {rank}").equals(len(step_of), "every pass runs each layer")
            for index, (step, weights) in enumerate(zip(step_of, one, strict=True)):
                expect_weights(
                    weights, history[step], f"in pass {index + 1} on rank {rank}, after {step} steps",
                    "weights that are still gathered from before the step are old: gather afresh in every pass",
                )  # fmt: skip


def test_shards_hold_every_number_once_in_float32(observe, draw):
    """The ranks' shards are float32 parameters that hold each weight on one rank, and its averaged gradient."""
    for dtype, param_dtype in draw.shuffled(
        [(torch.float32, None), (torch.float32, torch.bfloat16), (torch.bfloat16, None)]
    ):
        sizes = drawn_sizes(draw)
        state = [[one.to(dtype).float() for one in pair] for pair in drawn_state(draw, sizes)]
        steps = drawn_steps(draw, sizes, 1)
        seen = observe(
            scenarios.shards_of, ranks=2, state=state, steps=steps, dtype=dtype, options={"param_dtype": param_dtype}
        )
        what = f"{dtype} module, param_dtype {param_dtype}"
        tensors = [tensor for pair in state for tensor in pair]
        numel = sum(tensor.numel() for tensor in tensors)
        for rank, one in enumerate(seen):
            here = f"{what}, rank {rank}"
            kinds = {(value.dtype, value.dim()) for value in one["values"]}
            expect(sorted(kinds, key=str), f"dtypes and dimensions of the shards, {here}").equals(
                [(torch.float32, 1)], "shards are master weights: float32, whatever is gathered, in one dimension"
            )
            expect(one["parameters"], f"every shard is an nn.Parameter, {here}").equals(True, "an optimizer gets them")
            expect(sum(value.numel() for value in one["values"]), f"numbers held, of {numel}, {here}").less_than(
                numel / 2 + len(tensors) + 1, "a rank holds its part of every unit, and a little padding"
            )
            expect(one["same"], f"shards() gives the same objects again, {here}").equals(
                [True] * len(one["values"]), "the optimizer holds them: shards() makes no new ones"
            )
            expect(one["gathered"], f"the module's parameters are the same objects, {here}").equals(
                [True] * len(tensors), "they become the gathered ones: give them other data, and do not replace them"
            )
            expect(one["parameters are shards"], f"parameters() are the shards, {here}").equals(
                True, "parameters() and zero_grad() are about what this rank holds"
            )
            expect(one["left"], f"gradients left after model.zero_grad(), {here}").equals(
                [0] * len(one["values"]), "zero_grad() is about the shards, whose gradients backward adds to"
            )
            expect(one["graph"], f"a gradient has a graph, {here}").equals(False, "a gradient is a value")
            for value, gradient in zip(one["values"], one["gradients"], strict=True):
                expect(gradient, f"a shard's gradient, {here}").close_to(
                    torch.zeros_like(value), Tolerance("any value", atol=1e9),
                    "backward leaves each shard a float32 gradient of its shape", torch.float32,
                )  # fmt: skip
        expected = torch.cat([tensor.flatten() for tensor in tensors]).sort().values
        together = torch.cat([value.flatten() for one in seen for value in one["values"]])
        expect(together[together != 0].sort().values, f"all shards, sorted, {what}").equals(
            expected, "both ranks together hold each number once, unrounded, besides zeros"
        )
        if param_dtype is None and dtype == torch.float32:
            gradients = gradients_of([tensor.double() for tensor in tensors], steps[0])
            wanted = torch.cat([one.flatten() for one in gradients]).sort().values
            found = torch.cat([value.flatten() for one in seen for value in one["gradients"]])
            expect(found[found != 0].sort().values, f"all shards' gradients, sorted, {what}").close_to(
                wanted, FLOAT32, "each rank gets its part of the mean of all ranks' gradients", torch.float32
            )


def test_a_step_gathers_twice_and_scatters_once(observe, draw):
    """In bytes: the weights once for each pass, in param_dtype, and the gradients once, in reduce_dtype; no more."""
    expect_step_bytes(observe, draw, "sharded")


def test_whole_weights_live_one_unit_at_a_time(observe, draw):
    """Inside a layer this rank holds its shards and little more: one unit's weights, never the model's."""
    expect_alive(observe, draw, "sharded", ("inside",), "list in dict")


def test_between_the_passes_only_shards_live(observe, draw):
    """No whole weights are left after construction, between the passes, or after a pass without gradients."""
    expect_alive(observe, draw, "sharded", ("made", "between", "after"), "list")
    expect_alive(observe, draw, "sharded", ("made", "evaluated"), "list", reshard=False)


def test_whole_gradients_do_not_pile_up(observe, draw):
    """Each unit's gradients are reduced and freed in the backward pass, before the next units have theirs."""
    expect_alive(observe, draw, "sharded", ("backward",), "list")


def test_named_units_are_gathered_one_by_one(observe, draw):
    """Units that are named, deep in the model, are those that are gathered, one at a time; no units, all at once."""
    expect_alive(observe, draw, "sharded", ("inside",), "list", named=True)
    state = drawn_state(draw, drawn_sizes(draw))
    for rank, inside in enumerate(observe(scenarios.whole_inside, ranks=2, state=state)):
        expect(inside, f"which parameters are whole inside each layer, without units, rank {rank}").equals(
            [[True] * 6] * 3, "a parameter in no unit is gathered from the start of the model's forward pass"
        )


def test_gradients_are_reduced_in_reduce_dtype(observe, draw):
    """256 on one rank and 1 on the other average to 128.5, which a sum in bfloat16 makes 128."""
    expect_reduced(observe, draw, "sharded", [(torch.bfloat16, None), (torch.float32, torch.bfloat16)])


def test_small_updates_of_half_weights_add_up(observe, draw):
    """Updates that bfloat16 rounds away are kept in the float32 shards, until the gathered weights show them."""
    cases = [(torch.float32, torch.bfloat16), (torch.bfloat16, None), (torch.bfloat16, torch.bfloat16)]
    for dtype, param_dtype in draw.shuffled(cases):
        expect_small_updates(observe, draw, "sharded", dtype, param_dtype)


def test_units_compute_in_param_dtype(observe, draw):
    """Weights and floating inputs of every unit, in containers and by name too, are in param_dtype; integers stay."""
    half, full = torch.bfloat16, torch.float32
    for dtypes, param_dtype in draw.shuffled([([full, full], half), ([full, half], None), ([half, half], full)]):
        expected = [param_dtype or dtype for dtype in dtypes]
        sizes = [draw.integer(3, 5)] * 3
        state = drawn_state(draw, sizes)
        x, factor = draw.normal(2, sizes[0]), draw.away_from_zero(1, sizes[0])
        seen = observe(
            scenarios.casts, ranks=2, state=state, x=x, factor=factor, dtypes=dtypes, param_dtype=param_dtype
        )
        given = {"x": expected[0], "row": torch.int64, "factor": expected[0]}
        for rank, one in enumerate(seen):
            what = f"units in {dtypes}, param_dtype {param_dtype}, rank {rank}"
            why = "every unit casts its floating inputs to param_dtype, also in a list or dict, and nothing else"
            expect(one["given"], f"dtypes given to the first unit, {what}").equals(given, why)
            expect(one["weights"], f"dtypes of gathered weights, {what}").equals(
                expected, "param_dtype, or that of each unit's own parameters"
            )
            expect(one["inputs"], f"dtypes that layers get, {what}").equals(expected, why)
            expect(one["output"], f"dtypes of the outputs, a matrix and a number, {what}").equals(
                [expected[1]] * 2, "the output is left as it is"
            )
            if expected == [full, full]:
                (weight, bias), (other, shift) = ([tensor.to(half).double() for tensor in pair] for pair in state)
                outputs = torch.tanh(x.double() @ weight.T + bias) * factor[0] @ other.T + shift
                expect(one["values"], f"output, {what}").close_to(outputs, FLOAT32, "computed in float32", full)
            expect(one["input's gradient"], f"dtype of the input's gradient, and whether there is one, {what}").equals(
                [x.dtype, True], "the cast lets gradients flow back to the model's input"
            )


def test_any_structure_trains_like_one_process(observe, draw):
    """Layers in containers, a parameter of the model's own, tied weights, a part that runs twice or is recomputed."""
    structures = {
        "a part that runs twice": {"parts": [[[0, 1]], [[2, 3]], [[4, 5]]], "order": [0, 1, 0, 2]},
        "tied between units": {"parts": [[[0, 1]], [[2, 3]], [[0, 5]]], "order": [0, 1, 2]},
        "tied in a unit": {"parts": [[[0, 1], [0, 3]], [[4, 5]]], "order": [0, 1]},
        "of the model's own": {"parts": [[[0, 1]], [[2, 3]], [[4, 5]]], "order": [0, 1, 2], "scale": 6},
        "recomputed": {"parts": [[[0, 1]], [[2, 3], [4, 5]]], "order": [0, 1], "recompute": [True, False]},
        "a part that never runs": {"parts": [[[0, 1]], [[2, 3]], [[4, 5]]], "order": [0, 2]},
        "an unused bias": {"parts": [[[0, 1]], [[2, 3], [4, 5]]], "order": [0, 1], "unused": [3]},
    }
    expect_structures(observe, draw, structures, decay=0.0)


def test_frozen_parameters_stay(observe, draw):
    """A frozen parameter is used, also for gradients of earlier layers, and neither moves nor decays."""
    structures = {
        "a frozen bias": {"parts": [[[0, 1]], [[2, 3]]], "order": [0, 1], "frozen": [draw.choice((1, 3))]},
        "a frozen layer in a unit": {"parts": [[[0, 1]], [[2, 3], [4, 5]]], "order": [0, 1], "frozen": [2, 3]},
        "a frozen unit": {"parts": [[[0, 1]], [[2, 3]], [[4, 5]]], "order": [0, 1, 2], "frozen": [2, 3]},
        "a frozen start": {"parts": [[[0, 1]], [[2, 3]]], "order": [0, 1], "frozen": [0, 1]},
    }
    for name, seen in expect_structures(observe, draw, structures, decay=0.5).items():
        for rank, one in enumerate(seen):
            expect(one["trains"], f"requires_grad of shards with a gradient, {name}, rank {rank}").equals(
                [True] * max(1, len(one["trains"])), "a frozen parameter's shard requires no gradient and gets none"
            )


def expect_structures(observe, draw, structures: dict, decay: float) -> dict:
    found = {}
    for name in draw.shuffled(list(structures)):
        structure, width = structures[name], draw.choice((3, 5))
        tensors = drawn_tensors(draw, 3, width, scale=True)
        steps = drawn_steps(draw, [width, width], 2)
        settings = {"lr": draw.number(0.02, 0.05), "weight_decay": decay}
        history = trained_structure(tensors, structure, steps, settings["lr"], decay)
        seen = observe(
            scenarios.structured, ranks=2, way="sharded", tensors=tensors,
            structure={"container": draw.choice(["list", "dict", "list in dict"]), "by_columns": True} | structure,
            steps=steps, settings=settings,
        )  # fmt: skip
        used = {index for part in structure["order"] for pair in structure["parts"][part] for index in pair}
        used |= {structure["scale"]} if "scale" in structure else set()
        why = f"{name}: trains as it does in one process"
        for rank, step in itertools.product(range(2), range(2)):
            for index in sorted(used - set(structure.get("unused", ()))):
                expect(
                    seen[rank]["tensors"][step][index], f"tensor {index} on rank {rank} after step {step + 1}, {name}"
                ).close_to(history[step][index], FLOAT32, why, torch.float32)
        found[name] = seen
    return found


def test_units_that_cannot_be_are_refused(observe, draw):
    """Units outside of the module, overlapping or never called, and mixed dtypes get a ValueError; nothing changes."""
    sizes = drawn_sizes(draw)
    states, tables = [drawn_state(draw, sizes) for _ in range(2)], [draw.normal(3) for _ in range(2)]
    calls = (
        "not in the module",
        "one in another",
        "one in another, named first",
        "twice",
        "never called",
        "a dict, never called",
        "two dtypes",
        "two dtypes, one of the gathered weights",
        "two devices",
        "two dtypes in the last unit",
    )
    for rank, seen in enumerate(observe(scenarios.refused, ranks=2, states=states, tables=tables)):
        tensors = [tensor for pair in states[rank] for tensor in pair]
        halved = [*tensors[:-1], tensors[-1].to(torch.bfloat16)]
        for call in calls:
            expect_value_error(seen["raised"][call], f"units: {call}, rank {rank}")
        why = "check everything before the first weight is cut, and before rank 0's are sent"
        expect(seen["weights"], f"weights of the refused modules, rank {rank}").equals(
            [tensors + tensors, tensors, halved], why
        )
        outputs = torch.tanh(outputs_of([one.double() for one in tensors], torch.ones(1, sizes[0])))
        expect(seen["output"], f"output of a refused module, rank {rank}").close_to(
            outputs, FLOAT32, "a refused module has no hooks, and computes as before", torch.float32
        )
        expect(seen["good"], f"units of one dtype each, rank {rank}").equals(None, "one dtype in a unit is enough")
        expect(seen["tables"], f"buffers of the refused modules, rank {rank}").equals([tables[rank]] * 3, why)
    alone = observe(scenarios.refused, states=states, tables=tables)["alone"]
    expect_value_error(alone, "without a group", type_name="RuntimeError")


def test_old_optimizer_is_refused(observe, draw):
    """An optimizer that was made of the module's parameters before it was sharded raises at its step."""
    sizes = drawn_sizes(draw)
    state, x = drawn_state(draw, sizes), draw.normal(2, sizes[0])
    seen = observe(scenarios.old_optimizer, ranks=2, state=state, x=x)
    start = [tensor.double() for pair in state for tensor in pair]
    after = Sgd(0.1).step(start, gradients_of(start, [[[x, torch.zeros(len(x), sizes[-1])]]]))
    for rank, (old, new, weights) in enumerate(seen):
        expect_value_error(old, f"step of the old optimizer, rank {rank}", "shards", type_name="RuntimeError")
        expect(new, f"step of an optimizer of parameters(), rank {rank}").equals(None, "the new one steps")
        expect_weights(weights, after, f"after its step, rank {rank}", "an optimizer of the shards trains them")
