"""Step 1, shards: one behaviour a test, judged by the values that a scenario brought back."""

import math

import torch

from labkit.judge.expect import expect
from references.sharded.step_1 import drawn_dtypes, drawn_tensor, shards_of, sizes_and_ranks
from scenarios.sharded import step_1 as scenarios
from suites.sharded.common import expect_value_error


def test_shards_are_cut_in_order(observe, draw):
    """Rank r holds the r-th ceil(numel / ranks) elements, in the tensor's dtype."""
    sizes = sizes_and_ranks(draw)
    dtypes = drawn_dtypes(draw, len(sizes))
    cases = [(drawn_tensor(draw, numel, dtype), ranks) for (numel, ranks), dtype in zip(sizes, dtypes, strict=True)]
    seen = observe(scenarios.shards, tensors=[tensor for tensor, _ in cases], counts=[ranks for _, ranks in cases])
    for (tensor, ranks), shards in zip(cases, seen, strict=True):
        for rank, expected in enumerate(shards_of(tensor, ranks)):
            real = min(len(expected), tensor.numel() - rank * len(expected))
            if real > 0:
                expect(shards[rank][:real], f"elements of rank {rank} of {ranks}, of {tensor.numel()}").equals(
                    expected[:real], "each rank holds ceil(numel / ranks) elements, in the flattened tensor's order"
                )


def test_all_ranks_hold_the_same_number(observe, draw):
    """Zeros after the last element fill the last shards up, also where a rank has nothing else."""
    cases = [(drawn_tensor(draw, numel), ranks) for numel, ranks in sizes_and_ranks(draw)]
    seen = observe(scenarios.shards, tensors=[tensor for tensor, _ in cases], counts=[ranks for _, ranks in cases])
    for (tensor, ranks), shards in zip(cases, seen, strict=True):
        expect(shards, f"shards of {tensor.numel()} elements").equals(
            shards_of(tensor, ranks), "the last shards are filled up with zeros at their end: equal sizes on all ranks"
        )


def test_every_layout_is_flattened_row_by_row(observe, draw):
    """Tensors that are not contiguous, 0-d, empty or in a graph are cut as their values are written, row by row."""
    matrix, ranks = drawn_tensor(draw, 2 * 3 * draw.integer(2, 4)), draw.integer(2, 4)
    matrix = matrix.reshape(3, -1)
    seen = observe(scenarios.layouts, matrix=matrix, count=ranks)
    tensors = {
        "transposed": matrix.T, "every second column": matrix[:, ::2], "0-d": matrix[0, 0], "empty": matrix[:0],
        "in a graph": matrix,
    }  # fmt: skip
    why = "reshape(-1) flattens row by row, whatever the strides; an empty tensor has empty shards"
    for name, tensor in tensors.items():
        shards = shards_of(tensor, ranks)
        expect(seen[name]["shards"], f"shards, {name}").equals(shards, why)
        expect(seen[name]["bytes"], f"bytes of the shards' storages, {name}").equals(
            [one.nbytes for one in shards], "reshape(-1) copies what is not contiguous: a slice of that keeps all of it"
        )
        for key, others in (("flat", [matrix]), ("flat alone", [])):
            together = torch.cat([one.reshape(-1) for one in (tensor, *others)])
            padding = torch.zeros(-len(together) % ranks)
            what = f"flatten, {name}{' and another' if others else ''}"
            expect(seen[name][key], what).equals(torch.cat([together, padding]), why)


def test_results_have_memory_of_their_own(observe, draw):
    """A shard, a flat vector and an unsharded tensor hold their own elements, and no graph; also of one rank."""
    for ranks in (draw.choice((2, 3, 4)), 1):
        tensor = drawn_tensor(draw, 12 * draw.integer(2, 5))
        seen = observe(scenarios.memory, tensor=tensor, count=ranks)
        results = {"shard": shards_of(tensor, ranks)[0], "flatten one": tensor.reshape(-1), "unshard one": tensor}
        for key, expected in results.items():
            name, one = key + " for one rank" * (ranks == 1), seen[key]
            expect(one["result"], f"{name}, before and after its input was overwritten").equals(
                [expected, expected], "a view of the input keeps all of it in memory, and changes with it: copy"
            )
            expect(one["input"], f"input of {name} after the result was overwritten").equals(
                torch.full_like(tensor, -1), "the result shares memory with its input: copy"
            )
            expect(one["bytes"], f"{name}: bytes of its storage").equals(
                expected.nbytes, "the storage holds the result alone, so that the rest can be freed: .clone() a slice"
            )
            expect(one["device"], f"device of {name}, while another device is the default").equals(
                "its input's", "a new tensor is on the default device unless you say where: tensor.new_zeros(...) does"
            )
            expect(one["graph"], f"{name}: requires_grad").equals(
                False, "a shard is a value, not a step of a graph: detach()"
            )


def test_unshard_puts_the_tensor_together(observe, draw):
    """The shards of all ranks, without the padding, in the given shape and in their dtype."""
    cases, tensors, sizes = [], [], sizes_and_ranks(draw)
    for (numel, ranks), dtype in zip(sizes, drawn_dtypes(draw, len(sizes)), strict=True):
        tensors.append(drawn_tensor(draw, numel, dtype))
        cases.append({"shards": shards_of(tensors[-1], ranks), "shape": list(tensors[-1].shape)})
    ranks = draw.integer(2, 5)
    tensors += [torch.tensor(float(draw.integer(1, 99))), torch.zeros(3, 0)]
    cases += [{"shards": shards_of(tensor, ranks), "shape": list(tensor.shape)} for tensor in tensors[-2:]]
    seen = observe(scenarios.unsharded, cases=cases)
    for tensor, whole in zip(tensors, seen, strict=True):
        expect(whole, f"unshard, shape {tuple(tensor.shape)}").equals(
            tensor, "concatenate in the order of the ranks, cut what is beyond the shape's elements, reshape"
        )


def test_flatten_puts_tensors_one_after_another(observe, draw):
    """All elements, tensor after tensor, in their dtype; only what padding is needed, at the very end."""
    cases, flats = [], []
    for count, dtype in zip((1, 2, 3, 4, 3, 5), drawn_dtypes(draw, 6), strict=True):
        ranks = draw.integer(1, 5)
        tensors = [drawn_tensor(draw, draw.integer(1, 12), dtype) for _ in range(count)]
        together = torch.cat([tensor.reshape(-1) for tensor in tensors])
        size = math.ceil(len(together) / ranks) * ranks
        flats.append(torch.cat([together, together.new_zeros(size - len(together))]))
        cases.append({"tensors": tensors, "ranks": ranks})
    seen = observe(scenarios.flattened, cases=cases)
    for case, flat, expected in zip(cases, seen, flats, strict=True):
        expect(flat, f"flatten of {len(case['tensors'])} tensors for {case['ranks']} ranks").equals(
            expected, "in order, without gaps between them, then zeros up to a multiple of the ranks"
        )


SHARD_CALLS = (
    "shard, rank == ranks", "shard, rank -1", "shard, no ranks", "unshard, no shards", "unshard, a shard missing",
    "unshard, shards too long", "unshard, one shard longer", "unshard, one longer, one shorter", "unshard, no padding",
    "unshard, all shards longer",
)  # fmt: skip


def test_shards_that_cannot_be_are_refused(observe, draw):
    """A rank that there is not, and shards that are not those of the shape, get a ValueError."""
    tensor, ranks = drawn_tensor(draw, 6 * draw.integer(2, 4) + 1), draw.integer(2, 3)  # neither 2 nor 3 divide it
    seen = observe(scenarios.refused, tensor=tensor, count=ranks)
    for call in SHARD_CALLS:
        expect_value_error(seen.get(call), call)
    expect(seen["shard, good"], "the last rank's shard").equals(shards_of(tensor, ranks)[-1], "a good call is taken")


def test_flatten_refuses_mixed_tensors(observe, draw):
    """No tensor at all, several dtypes, or two devices get a ValueError that names all that were found."""
    tensor, ranks = drawn_tensor(draw, 6 * draw.integer(2, 4) + 1), draw.integer(2, 3)
    seen = observe(scenarios.refused, tensor=tensor, count=ranks)
    expect_value_error(seen["flatten, nothing"], "flatten, nothing")
    expect_value_error(seen["flatten, two dtypes"], "flatten, two dtypes", "float32", "bfloat16")
    expect_value_error(seen["flatten, three dtypes"], "flatten, three dtypes", "float32", "bfloat16", "float64")
    expect_value_error(seen["flatten, two devices"], "flatten, two devices", "cpu", "meta")
    expect_value_error(seen["flatten, an empty one"], "flatten, an empty one of another dtype", "float32", "bfloat16")
    both = torch.cat([tensor.reshape(-1)] * 2)
    expect(seen["flatten, good"], "flatten, good").equals(
        torch.cat([both, torch.zeros(-len(both) % ranks)]), "one dtype and device is taken"
    )
