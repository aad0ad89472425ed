"""Step 5, many processes: one behaviour a test, judged by the values that a scenario brought back."""

import itertools

import torch
from torch import Tensor
from torch.nn import functional as F

from labkit.judge.expect import Tolerance, expect
from references.mixed_precision import (
    INF,
    NAN,
    drawn_batches,
    drawn_state,
    linear_batches,
    linear_in,
    mean_loss,
    reference_training,
    scales_after,
    sharp_state,
    uneven_epoch,
)
from scenarios.mixed_precision import step_5 as scenarios
from scenarios.mixed_precision.common import small_model
from suites.mixed_precision.common import (
    EXACT,
    FLOAT32,
    FORMATS,
    HALF_LINEAR,
    HALF_TRAINING,
    MODEST_SCALE,
    expect_movement,
)


def on_ranks(batch: list[Tensor]) -> list[list[Tensor]]:
    """A global batch, half of it for each of two ranks."""
    half = len(batch[0]) // 2
    return [[part[:half] for part in batch], [part[half:] for part in batch]]


def observe_on_ranks(observe, scenario, cases: list[dict]) -> list[list]:
    """What `scenario` gives for each case: the values of the two ranks."""
    return [observe(scenario, ranks=2, **case) for case in cases]


def expect_training_like_one_process(
    observe, draw, *strategies: str, limit: float | None = None, formats: tuple[torch.dtype, ...] = FORMATS
) -> None:
    """Both ranks end with the weights of one process that trains on the global batches."""
    dtype, state, batches = draw.choice(formats), drawn_state(draw), drawn_batches(draw, count=3, size=8)
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
    tolerance = FLOAT32 if dtype == torch.float32 else HALF_TRAINING
    for seen in observe_on_ranks(observe, scenarios.train_on_ranks, cases):
        for rank in (0, 1):
            loss = mean_loss(state, common["batches"][0][rank], dtype)
            expect(seen[rank]["losses"][0], f"loss of the first step on rank {rank}").close_to(
                loss, tolerance, "train_step returns the loss of its own batch: train_epoch averages over the ranks"
            )
            expect_movement(seen[rank]["weights"], state, history[-1], f"rank {rank}: {why}")
        for name, weight in seen[0]["weights"].items():
            expect(seen[1]["weights"][name], f"{name} on rank 1").close_to(
                weight, EXACT, "all ranks hold equal weights"
            )


def test_ddp_trains_like_one_process(observe, draw):
    """Two DDP ranks train like one process on the whole batch."""
    expect_training_like_one_process(observe, draw, "ddp")


def test_fsdp_trains_like_one_process(observe, draw):
    """Two FSDP ranks train like one process on the whole batch."""
    expect_training_like_one_process(observe, draw, "fsdp")


def test_clipping_takes_the_norm_of_all_shards(observe, draw):
    """Clipping uses the norm of the whole gradient, not of a rank's shard; with the scaler on or off."""
    for strategy, formats in draw.shuffled([("ddp", FORMATS), ("fsdp", FORMATS[:1]), ("fsdp", FORMATS[1:])]):
        expect_training_like_one_process(observe, draw, strategy, limit=draw.number(0.05, 0.15), formats=formats)


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
    observed = observe_on_ranks(observe, scenarios.train_on_ranks, cases)
    for case, pattern, history, seen in zip(cases, patterns, histories, observed, strict=True):
        for rank in (0, 1):
            expect(seen[rank]["skipped"], f"step_skipped on rank {rank}").equals(pattern, why)
            if case["scaler"]["enabled"]:
                scales = scales_after(pattern, init_scale, 2.0, 0.5, 2000)
                expect(seen[rank]["scales"], f"loss scales on rank {rank}").equals(scales, why)
            expect_movement(seen[rank]["weights"], state, history[-1], f"rank {rank}: {why}")


def test_ddp_ranks_skip_together(observe, draw):
    """An overflow on one DDP rank makes both ranks skip and back off."""
    expect_common_skips(observe, draw, "ddp")


def test_fsdp_ranks_skip_together(observe, draw):
    """An overflow on one FSDP rank makes both ranks skip and back off."""
    expect_common_skips(observe, draw, "fsdp")


def expect_skips_of_shards(observe, draw, kinds: list[tuple[torch.dtype, bool, float]], limit: float | None) -> None:
    """Steps on a Linear of few rows, bad ones by a bad gradient in one row; `kinds` are (dtype, scaler on, bad)."""
    cases, expected, patterns = [], [], []
    scale = 2.0 ** draw.integer(9, 11)
    for rows, (dtype, scaled, bad_target) in zip(draw.shuffled((1, 3)), draw.shuffled(kinds), strict=True):
        pattern = draw.pattern(4)  # of one row rank 1 holds nothing, of three rank 0 holds two
        weight, inputs = draw.normal(rows, 8), [[draw.normal(4, 8) for _ in range(2)] for _ in pattern]
        targets = [[draw.away_from_zero(4, rows) for _ in range(2)] for _ in pattern]
        weights = [weight]
        for step, bad in enumerate(pattern):
            moved = 0.0
            if bad:
                targets[step][draw.integer(0, 1)][:, draw.integer(0, rows - 1)] = bad_target
            else:
                pairs = zip(inputs[step], targets[step], strict=True)
                moved = sum(target.T @ values / 4 for values, target in pairs) / 2
                moved = moved if limit is None else moved * min(1.0, limit / moved.norm().item())
            weights.append(weights[-1] - moved)
        scaler = {"init_scale": scale} if scaled else {"enabled": False}
        cases.append(
            {"weight": weight, "inputs": inputs, "targets": targets, "scaler": scaler, "dtype": dtype}
            | {"max_grad_norm": limit}
        )
        expected.append(weights[1:])
        patterns.append(pattern)
    rounding = Tolerance("half-precision rounding of gradients of size 5, in four steps", atol=0.1)
    why = "the bad entry lies in one rank's shard: scaled_backward has to ask the whole gradient, not the local part"
    observed = observe_on_ranks(observe, scenarios.sharded_step, cases)
    for case, pattern, weights, seen in zip(cases, patterns, expected, observed, strict=True):
        for rank in (0, 1):
            expect(seen[rank]["stepped"], f"returned on rank {rank}").equals([not bad for bad in pattern], why)
            if "init_scale" in case["scaler"]:
                scales = scales_after(pattern, scale, 2.0, 0.5, 2000)
                expect(seen[rank]["scales"], f"loss scales on rank {rank}").equals(scales, why)
            for step, value in enumerate(weights):
                expect(seen[rank]["weights"][step], f"weight after step {step} on rank {rank}").close_to(
                    value, rounding, why
                )


def test_overflow_in_one_shard_skips_on_all(observe, draw):
    """An inf in one rank's shard of the gradient makes both ranks skip."""
    expect_skips_of_shards(observe, draw, [(torch.float16, True, 1e6)] * 2, limit=None)


def test_bad_shard_without_scaler_skips_on_all(observe, draw):
    """With the scaler off, inf or nan in one rank's shard makes both ranks skip, with a limit too."""
    kinds = [(torch.bfloat16, False, NAN), (torch.float32, False, INF)]
    expect_skips_of_shards(observe, draw, kinds, limit=draw.choice((None, draw.number(0.5, 1.5))))


def test_fsdp_shards_what_ddp_repeats(observe, draw):
    """FSDP splits parameters, gradients and optimizer state; DDP repeats them."""
    state, (batch,) = drawn_state(draw), drawn_batches(draw, count=1)
    count = sum(value.numel() for value in state.values())
    cases = [{"strategy": one, "state": state, "batch": batch} for one in draw.shuffled(("ddp", "fsdp"))]
    for case, seen in zip(cases, observe_on_ranks(observe, scenarios.held_by_rank, cases), strict=True):
        strategy = case["strategy"]
        for name in ("parameters", "gradients", "momentum"):
            for rank in (0, 1):
                shape, own = list(seen[rank][name].shape), list(seen[rank]["parameters"].shape)
                expect(shape, f"shape of all {name} on rank {rank}").equals(own, "as many as the rank's parameters")
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
    """Each layer of an FSDP model, norms too, computes in the dtype that was asked for, and is freed right after it."""
    state, inputs = drawn_state(draw), draw.normal(4, 8)
    cases = [{"state": state, "inputs": inputs, "dtype": asked} for asked in draw.shuffled((*FORMATS, None))]
    for case, seen in zip(cases, observe_on_ranks(observe, scenarios.sharded_forward, cases), strict=True):
        dtype = case["dtype"] or torch.float16
        expected = linear_in(dtype, inputs, state["0.weight"]) + state["0.bias"].double()
        tolerance = FLOAT32 if dtype == torch.float32 else HALF_LINEAR
        for rank in (0, 1):
            expect(seen[rank]["hidden"], f"the first Linear on rank {rank}").close_to(
                expected, tolerance, dtype=dtype, why="the policy's param_dtype is the dtype that layers compute in"
            )
            kinds = [
                ("linear", 3),
                ("layer_norm", 3),
                ("linear", 3),
                ("embedding", 1),
                ("group_norm", 3),
                ("rms_norm", 2),
            ]
            expect(seen[rank]["computed"], f"functions called on rank {rank}, and dtypes that they were given").equals(
                [[name, [dtype] * count] for name, count in kinds],
                "norms and embeddings follow the same policy as the other layers",
            )
            expect(seen[rank]["gathered"], f"layers that are gathered, as each has computed, on rank {rank}").equals(
                [0] * 7, "a layer's group is freed after its forward: leave reshard_after_forward as it is"
            )


def test_fsdp_reduces_gradients_in_float32(observe, draw):
    """FSDP averages gradients in float32, those of norms too."""
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
    for gradient, seen in zip(expected, observe_on_ranks(observe, scenarios.sharded_gradients, cases), strict=True):
        for rank in (0, 1):
            what = f"averaged gradient of a Linear's weight on rank {rank}"
            expect(seen[rank]["weight"], what).close_to(gradient, FLOAT32, why)
            what = f"averaged gradient of a LayerNorm's bias on rank {rank}"
            expect(seen[rank]["shift"], what).close_to(gradient.sum(dim=1), FLOAT32, why)


def test_losses_are_means_over_all_ranks(observe, draw):
    """The losses of train_epoch and evaluate are means over the samples of all ranks."""
    state = sharp_state(draw)
    inputs, targets = uneven_epoch(draw, state)
    easy, hard = [inputs[:4], targets[:4]], [inputs[4:], targets[4:]]
    twice = [torch.cat([part, part]) for part in easy]  # two batches on each rank, but 8 and 5 samples
    lost = [torch.full((5, 8), INF), hard[1]]
    cases = [{"state": state, "data": [twice, other], "batch_size": 4} for other in (hard, lost)]
    both, one_lost = observe_on_ranks(observe, scenarios.losses_on_ranks, cases)
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
        what = f"loss of evaluate on rank {rank}, all of rank 1's nan"
        expect(one_lost[rank]["evaluate"], what).close_to(NAN, FLOAT32, "evaluate leaves no batch out, on any rank")


def test_ddp_reduces_in_buckets(observe, draw):
    """DDP averages many gradients in one all-reduce, while backward goes on."""
    state, (batch,) = drawn_state(draw), drawn_batches(draw, count=1, size=8)
    seen = observe(scenarios.reductions_in_backward, ranks=2, state=state, batches=on_ranks(batch))
    model = small_model(state)
    expected = torch.autograd.grad(F.cross_entropy(model(batch[0]), batch[1]), list(model.parameters()))
    for rank in (0, 1):
        expect(seen[rank]["calls"], f"all-reduces of a backward pass on rank {rank}").less_than(
            4, "DistributedDataParallel averages many gradients in one all-reduce, while backward goes on"
        )
        for index, gradient in enumerate(expected):
            expect(seen[rank]["gradients"][index], f"gradient {index} on rank {rank}").close_to(
                gradient, FLOAT32, "backward leaves the average over all ranks"
            )


def test_fsdp_covers_the_models_own_parameters(observe, draw):
    """Parameters that belong to no layer follow the same policy: computed in `dtype`, averaged in float32."""
    cases, expected = [], []
    for dtype, size in draw.shuffled(((torch.bfloat16, 256.0), (torch.float16, 2048.0))):
        large, small = size + 2.0 * draw.integer(1, 100), 1.0 + draw.integer(1, 100) / 128
        place, gradient = draw.integer(0, 3), torch.zeros(4)
        targets = torch.zeros(2, 1, 4)
        targets[0, 0, place], targets[1, 0, place] = draw.shuffled((large, small))
        gradient[place] = (large + small) / 2
        weight, matrix, inputs = draw.normal(5, 8), draw.normal(4, 5), [draw.normal(1, 8) for _ in range(2)]
        cases.append(
            {"weight": weight, "matrix": matrix, "gain": draw.normal(4), "inputs": inputs, "targets": list(targets)}
            | {"dtype": dtype}
        )
        hidden = [linear_in(dtype, one, weight).to(dtype) for one in inputs]
        expected.append(([linear_in(dtype, one, matrix) for one in hidden], gradient))
    why = "fully_shard(model, ...) gets the policy as well: the model's own parameters are in its group"
    observed = observe_on_ranks(observe, scenarios.own_parameters, cases)
    for case, (products, gradient), seen in zip(cases, expected, observed, strict=True):
        for rank in (0, 1):
            expect(seen[rank]["product"], f"product with the model's own matrix on rank {rank}").close_to(
                products[rank],
                Tolerance("a hidden value that is rounded the other way, in five terms", rtol=0.02, atol=0.05),
                why,
                dtype=case["dtype"],
            )
            expect(seen[rank]["gradient"], f"gradient of the model's own gain on rank {rank}").close_to(
                gradient, FLOAT32, why
            )


def test_ddp_starts_from_rank_zero(observe, draw):
    """All DDP ranks start from rank 0's weights and buffers, those of frozen layers and those not saved too."""
    frozen = draw.pattern(4, share=0.5)
    kinds = list(itertools.product((True, False), (torch.float32, torch.int64)))  # persistent or not, dtype
    kinds = [draw.choice(kinds), *draw.shuffled(kinds)]
    states = [
        {
            "weights": [draw.normal(6, 6) for _ in frozen],
            "mean": draw.normal(6),
            "buffers": [draw.normal(6, scale=100.0, dtype=dtype) for _, dtype in kinds],
        }
        for _ in range(2)
    ]
    persistent = [is_kept for is_kept, _ in kinds]
    seen = observe(scenarios.state_after_wrapping, ranks=2, states=states, frozen=frozen, persistent=persistent)
    why = "DistributedDataParallel sends all of rank 0's state to the others: frozen weights and buffers as well"
    for rank in (0, 1):
        for index, weight in enumerate(states[0]["weights"]):
            kind = "frozen " if frozen[index] else ""
            expect(seen[rank]["weights"][index], f"{kind}weight {index} on rank {rank}").close_to(weight, EXACT, why)
        expect(seen[rank]["mean"], f"running mean on rank {rank}").close_to(states[0]["mean"], EXACT, why)
        for index, (is_kept, dtype) in enumerate(kinds):
            what = f"{'' if is_kept else 'non-persistent '}{dtype} buffer {index} on rank {rank}"
            expect(seen[rank]["buffers"][index], what).equals(states[0]["buffers"][index], why)
        trainable = [not one for one in frozen]
        expect(seen[rank]["trainable"], f"requires_grad on rank {rank}").equals(trainable, "what is frozen stays so")
