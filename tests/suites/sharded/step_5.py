"""Step 5, FSDP2: one behaviour a test, judged by the values that a scenario brought back."""

import torch

from labkit.judge.expect import expect
from references.sharded.common import drawn_sizes, drawn_state, drawn_steps
from references.sharded.step_3 import drawn_tensors
from references.sharded.step_3 import trained as trained_structure
from scenarios.sharded import step_5 as scenarios
from suites.sharded.both import expect_alive, expect_reduced, expect_small_updates, expect_start, expect_step_bytes
from suites.sharded.common import FLOAT32, expect_training, expect_value_error


def test_fsdp2_trains_like_one_process(observe, draw):
    """SGD and AdamW over the model's parameters make the steps of one process on the batches of both ranks."""
    expect_training(observe, draw, "fsdp2", "sgd", {"reshard": True}, micro_batches=2)
    expect_training(observe, draw, "fsdp2", "adamw", {"reshard": False})


def test_fsdp2_starts_from_rank_0(observe, draw):
    """Parameters and buffers are rank 0's on every rank, whatever the others had."""
    expect_start(observe, draw, "fsdp2")


def test_fsdp2_reduces_in_float32(observe, draw):
    """256 on one rank and 1 on the other average to 128.5, also with bfloat16 weights; by default too."""
    expect_reduced(observe, draw, "fsdp2", [(torch.float32, None), (torch.float32, torch.bfloat16)])


def test_fsdp2_gathers_as_it_was_told(observe, draw):
    """In bytes: weights once for each pass in param_dtype, without reshard once; gradients once in reduce_dtype."""
    expect_step_bytes(observe, draw, "fsdp2")


def test_fsdp2_gathers_one_child_at_a_time(observe, draw):
    """Inside a layer this rank holds its shards and the weights of a unit or two, never the model's."""
    expect_alive(observe, draw, "fsdp2", ("inside", "between"), "list in dict")


def test_fsdp2_keeps_float32_shards(observe, draw):
    """Every parameter is sharded and stays float32, so that small updates of bfloat16 weights add up."""
    sizes = drawn_sizes(draw)
    state = drawn_state(draw, sizes)
    seen = observe(scenarios.kinds_of_parameters, ranks=2, state=state, param_dtype=torch.bfloat16)
    tensors = [tensor for pair in state for tensor in pair]
    numel, rows = sum(tensor.numel() for tensor in tensors), sum(sizes[:-1])
    for rank, one in enumerate(seen):
        expect(one["sharded"], f"parameters that are DTensors, rank {rank}").equals(
            [True] * len(tensors), "children with parameters are sharded, and the model's own with the model"
        )
        expect(one["dtypes"], f"dtypes of the shards, rank {rank}").equals(
            ["torch.float32"], "param_dtype is that of the gathered weights; the shards stay float32"
        )
        expect(one["held"], f"numbers held on rank {rank}, of {numel}").less_than(
            numel / 2 + rows + len(tensors), "half of every parameter, rounded up to rows"
        )
    expect_small_updates(observe, draw, "fsdp2", torch.float32, torch.bfloat16)


def test_full_state_is_whole_on_every_rank(observe, draw):
    """Plain float32 tensors under the names that the model had before, tied ones under each; they are copies."""
    structures = [
        {"parts": [[[0, 1]], [[2, 3], [4, 5]]], "order": [0, 1], "container": "list in dict", "frozen": [2]},
        {"parts": [[[0, 1]], [[2, 3]], [[0, 5]]], "order": [0, 1, 2], "scale": 6, "container": "dict"},
    ]
    for structure in draw.shuffled(structures):
        width, lr = draw.choice((3, 5)), draw.number(0.02, 0.05)
        tensors = drawn_tensors(draw, 3, width, scale=True)
        steps = drawn_steps(draw, [width, width], 2)
        after = trained_structure(tensors, structure, steps, lr, 0.0)
        history = [[tensor.double() for tensor in tensors], *after]
        seen = observe(
            scenarios.whole_state, ranks=2, tensors=tensors, structure=structure, steps=steps, lr=lr, param_dtype=None
        )
        pairs = [pair for part in structure["parts"] for pair in part]
        for rank, one in enumerate(seen):
            expect(one["same"], "the model comes back itself").equals(True, "fully_shard changes it in place")
            for step, (state, values) in enumerate(zip(one["states"], history, strict=True)):
                what = f"on rank {rank} after {step} steps"
                expect(state if isinstance(state, str) else "", f"state {what}").equals(
                    "", "plain tensors: full_tensor()"
                )
                expect(sorted(state), f"names {what}").equals(one["names"], "the names are those from before")
                for kind, place in (("weight", 0), ("bias", 1)):
                    found = [state[name] for name in sorted(state) if name.endswith(kind)]
                    wanted = [values[pair[place]] for pair in pairs]
                    for index, (value, expected) in enumerate(zip(found, wanted, strict=True)):
                        expect(value, f"{kind} {index} {what}").close_to(
                            expected, FLOAT32, "the whole parameter, on every rank", torch.float32
                        )
                expect(state["table"], f"buffer {what}").equals(torch.arange(5), "buffers are a part of the state")
            expect(one["again"], f"state on rank {rank} after an earlier one was set to 0").equals(
                one["states"][0], "the state is a copy: changing it does not change the model"
            )


def test_fsdp2_needs_a_group(observe, draw):
    """A process without a group gets a RuntimeError."""
    state = drawn_state(draw, drawn_sizes(draw))
    alone = observe(scenarios.without_group, state=state)
    expect_value_error(alone[0], "without a group", type_name="RuntimeError")
    expect(alone[1:], "the model's weights").equals([one for pair in state for one in pair], "nothing has changed")
