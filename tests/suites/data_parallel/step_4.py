"""Step 4, data: one behaviour a test, judged by the values that a scenario, or both ranks, brought back."""

import itertools

import torch

from labkit.judge.expect import Tolerance, expect, expect_error
from references.data_parallel import step_4 as reference
from references.data_parallel.common import EXACT
from scenarios.data_parallel import step_4 as scenarios

RANKS = (0, 1)
STEPS = Tolerance("float32 rounding over a few small steps", rtol=1e-4, atol=2e-5)
HALF_WIRE = Tolerance("bfloat16 rounds what is sent, and the sum: 2^-8 of each, in a few steps", rtol=0.05, atol=0.05)
SCALER = {"init_scale": 2.0**12, "growth_interval": 2}


def whole(shards: list[list[int]]) -> list[int]:
    """The order that the ranks took their places of."""
    end = object()
    return [index for places in itertools.zip_longest(*shards, fillvalue=end) for index in places if index is not end]


def case(size: int, ranks: int, epochs: list | None = None, **options: object) -> dict:
    return {"size": size, "ranks": ranks, "options": options} | ({} if epochs is None else {"epochs": epochs})


def test_shards_cover_the_data_set(observe, draw):
    """Together the ranks have every sample once, each as many as the others; unshuffled, every ranks-th."""
    cases = []
    for ranks in (1, 2, draw.integer(3, 8)):
        length = draw.integer(3, 9)
        cases += [case(ranks * length, ranks), case(ranks * length, ranks, shuffle=False), case(ranks * length, ranks)]
    for one, seen in zip(cases, observe(scenarios.shards, cases=cases), strict=True):
        size, ranks, (shards,) = one["size"], one["ranks"], seen["epochs"]
        what = f"{size} samples, {ranks} ranks, {one['options']}"
        expect(seen["lengths"], f"{what}: lengths").equals([size // ranks] * ranks, "each rank has its part")
        expect([len(shard) for shard in shards], f"{what}: indices").equals([size // ranks] * ranks, "as len() says")
        expect(sorted(whole(shards)), f"{what}: all indices").equals([*range(size)], "no sample twice, none left out")
        if one["options"]:
            why = "without shuffle rank r has r, r + ranks, r + 2 * ranks, ..."
            expect(shards, what).equals([[*range(rank, size, ranks)] for rank in range(ranks)], why)


def test_leftovers_are_repeated_or_cut(observe, draw):
    """Ranks that do not divide the size: each epoch's order goes on from its beginning, or is cut with drop_last."""
    cases = []
    for size, ranks in ((1, draw.integer(2, 4)), (draw.integer(2, 3), draw.integer(7, 9)), (draw.integer(9, 30), 4)):
        size += size > 8 and size % 4 == 0
        for shuffle in (True, False):
            cases.append(case(size, ranks, [draw.integer(0, 9)], shuffle=shuffle))
            if size > ranks:
                cases.append(case(size, ranks, [draw.integer(0, 9)], shuffle=shuffle, drop_last=True))
    ranks = draw.integer(2, 4)
    cases.append(case(ranks * draw.integer(5, 9) + draw.integer(1, ranks - 1), ranks, [*range(9)], drop_last=True))
    found = observe(scenarios.shards, cases=cases)
    for one, seen in zip(cases, found, strict=True):
        size, ranks, cut = one["size"], one["ranks"], "drop_last" in one["options"]
        what = f"{size} samples, {ranks} ranks, {one['options']}"
        length = size // ranks if cut else -(-size // ranks)
        expect(seen["lengths"], f"{what}: lengths").equals([length] * ranks, "round down with drop_last, else up")
        for shards in seen["epochs"]:
            expect([len(shard) for shard in shards], f"{what}: indices").equals([length] * ranks, "all have as many")
            order = whole(shards)
            once = order[: min(size, len(order))]
            expect(len(set(once)), f"{what}: different samples").equals(len(once), "none twice before all were there")
            expect(all(0 <= index < size for index in order), f"{what}: indices below {size}").equals(
                True, "0 to size - 1"
            )
            repeated = [order[i % size] for i in range(len(order))]
            expect(order, f"{what}: the order").equals(repeated, "it goes on from its own beginning, sample by sample")
            if not one["options"].get("shuffle", True):
                expect(order, f"{what}: the order").equals([i % size for i in range(length * ranks)], "0, 1, 2, ...")
    used = {frozenset(whole(shards)) for shards in found[-1]["epochs"]}
    expect(float(len(used)), "how many sets of samples the epochs have with drop_last").more_than(
        1.0, "cut the order of the epoch, not the data set: else the same samples are left out in all epochs"
    )


def test_order_is_new_in_every_epoch(observe, draw):
    """Each epoch has a new order of the whole data set, the same whenever it comes again; seeds differ, too."""
    ranks, seed = draw.integer(2, 4), draw.integer(1, 99)
    size, epochs = ranks * draw.integer(20, 120), [0, 1, draw.integer(2, 90), 1, 0]
    options = ({"seed": seed}, {"seed": seed}, {"seed": seed + 100}, {}, {"seed": 0})
    cases = [*(case(size, ranks, epochs, **one) for one in options), case(size, ranks, seed=seed)]
    cases.append(case(size, ranks, epochs, seed=seed, shuffle=False))
    found = [one["epochs"] for one in observe(scenarios.shards, cases=cases)]
    first, same, other, default, zero, unset, unshuffled = ([whole(shards) for shards in one] for one in found)
    for order in (*first, *other, *default):
        expect(sorted(order), "all indices of an epoch").equals([*range(size)], "a permutation of the whole data set")
        expect(order != sorted(order), "whether the order is shuffled").equals(True, "shuffle is True by default")
    why = "the order follows from seed and epoch: manual_seed with both, in every iteration"
    expect(len({tuple(order) for order in first}), "different orders in epochs 0, 1, another, 1, 0").equals(3, why)
    expect([first[3], first[4]], "the orders of epochs 1 and 0, again").equals([first[1], first[0]], why)
    expect(same, "the orders of another sampler with this seed").equals(first, "all ranks need the same order")
    expect(other[0] != first[0], "whether another seed gives another order").equals(True, why)
    expect(zero, "the orders with seed 0").equals(default, "the seed is 0 by default")
    expect(unset[0], "the order without set_epoch").equals(first[0], "without set_epoch it is epoch 0")
    expect(unshuffled, "the orders without shuffle").equals([[*range(size)]] * 5, "the epoch does not matter")
    held = [sorted(shards[0]) for shards in found[0][:3]]
    why = "shuffle the whole data set, then split it: else each rank sees its own samples only, in all epochs"
    expect(held[0] != held[1] and held[1] != held[2], "whether rank 0 has other samples in another epoch").equals(
        True, why
    )


def test_order_depends_on_its_seed_alone(observe, draw):
    """The order is the same in all processes; torch's own generator has no influence on it, and is not moved by it."""
    seeds = [draw.integer(0, 2**31) for _ in range(3)]
    size = 3 * draw.integer(8, 20)
    seen = observe(scenarios.shards_of_other_processes, size=size, seed=draw.integer(0, 99), seeds=seeds)
    why = "a generator of its own, seeded with numbers: Python's hash of a text differs between processes"
    expect(sorted(whole([one[0] for one in seen])), "all indices").equals([*range(size)], why)
    for one, seed in zip(seen, seeds, strict=True):
        expect(one[1], "a second iteration").equals(one[0], "every iteration of an epoch has the same order")
        own = torch.Generator().manual_seed(seed)
        for found, when in zip(one[2:], ("amid an iteration", "afterwards"), strict=True):
            left = torch.rand(3, generator=own)
            expect(found, f"torch.rand {when}").close_to(left, EXACT, "not torch.manual_seed: a torch.Generator()")


def test_shards_that_make_no_sense_are_refused(observe, draw):
    """No samples, no ranks, a rank that is none of them, or nothing left by drop_last: a ValueError at once."""
    size, ranks = draw.integer(20, 99), draw.integer(3, 9)
    wrong = [
        (0, 0, 1), (-draw.integer(1, 9), 0, 2), (size, 0, 0), (size, 0, -1), (size, ranks, ranks), (size, -1, ranks),
        (size, ranks + draw.integer(1, 9), ranks),
    ]  # fmt: skip
    cases = [{"sizes": sizes, "options": {"drop_last": drops}} for sizes in wrong for drops in (True, False)]
    cases.append({"sizes": (ranks - 1, 0, ranks), "options": {"drop_last": True}})
    right = [((ranks, 0, ranks), True), ((ranks - 1, ranks - 1, ranks), False)]
    right += [((draw.integer(20, 999), draw.integer(0, ranks - 1), ranks), False) for _ in range(4)]
    wrong_cases = len(cases)
    cases += [{"sizes": sizes, "options": {"drop_last": drops}} for sizes, drops in right]
    seen = observe(scenarios.refused, cases=cases)
    for one, raised in zip(cases[:wrong_cases], seen[:wrong_cases], strict=True):
        expect_error(
            raised, f"size, rank and ranks {one['sizes']}, {one['options']}", "ValueError", "check in __init__"
        )
    lengths = [-(-sizes[0] // ranks) for sizes, _ in right]
    expect(seen[wrong_cases:], f"lengths for {[sizes[0] for sizes, _ in right]} samples and {ranks} ranks").equals(
        lengths, "these are allowed"
    )


def expect_steps(
    seen: list, weight: torch.Tensor, expected: list, why: str, tolerance: Tolerance = STEPS, spare: bool = True
) -> None:
    """The weights of both ranks after each step; with `spare`, those of the second parameter as well."""
    for rank in RANKS:
        for step, value in enumerate(expected):
            expect(seen[rank][step]["weights"][0], f"weight after step {step} on rank {rank}").close_to(
                value, tolerance, why, torch.float32
            )
        first, last = seen[rank][0]["weights"], seen[rank][-1]["weights"]
        moved, own = last[1] - first[1], (expected[-1] - expected[0]).float()
        expect(moved, f"what the second parameter moved on rank {rank}").close_to(
            own if spare else torch.zeros_like(own), tolerance, "the optimizer steps the parameters that it has"
        )


def drawn_start(draw) -> dict:
    return {"weight": draw.normal(5), "spare": draw.normal(5)}


def test_step_is_that_of_one_process(observe, draw):
    """The step is that of all samples of all ranks in one batch, also if one rank has more than the other."""
    for wrapper, wire in (("torch", None), ("own", None), ("own", torch.bfloat16)):
        few, many = draw.integer(1, 3), draw.integer(6, 9)
        counts = [(few, many), (many, few), (few, few)]
        start, batches = drawn_start(draw), [reference.drawn_batch(draw, count) for count in counts]
        seen = observe(
            scenarios.steps, ranks=2, **start, batches=batches, micro_batches=None, lr=0.5, wrapper=wrapper, wire=wire
        )
        expected = reference.stepped(start["weight"], batches, 0.5)
        why = "the average counts ranks: weigh a rank's loss by its samples times the ranks over all samples"
        expect_steps(seen, start["weight"], expected, why, STEPS if wire is None else HALF_WIRE)


def test_micro_batches_make_the_same_step(observe, draw):
    """Micro-batches of nearly equal size make the step of the whole batch, each in one pass; the mode stays."""
    for training, micro_batches, wrapper in ((True, 2, "torch"), (False, 3, "own"), (True, draw.integer(4, 5), "own")):
        counts = [(draw.integer(5, 7), draw.integer(9, 13)) for _ in range(2)]
        start, batches = drawn_start(draw), [reference.drawn_batch(draw, count) for count in counts]
        seen = observe(
            scenarios.steps, ranks=2, **start, batches=batches, micro_batches=micro_batches, lr=0.5,
            training=training, wrapper=wrapper,
        )  # fmt: skip
        why = "a part's mean loss counts by the share that its samples have in those of all ranks"
        expect_steps(seen, start["weight"], reference.stepped(start["weight"], batches, 0.5), why)
        for rank, step in itertools.product(RANKS, range(2)):
            passes, what = seen[rank][step]["passes"], f"samples of each forward pass on rank {rank}"
            expect([len(passes), sum(passes)], f"number and sum of the {what}").equals(
                [micro_batches, counts[step][rank]], "micro_batches parts, every sample in one of them"
            )
            expect(max(passes) - min(passes), f"difference of the {what}").equals(
                int(counts[step][rank] % micro_batches > 0), "parts of nearly equal size: tensor_split makes them"
            )
            expect(seen[rank][step]["modes"], f"train mode of model, module and a part of it on rank {rank}").equals(
                [training, training, not training], "the mode of each module stays as it was"
            )


def test_only_the_last_part_is_synchronized(observe, draw):
    """Each part goes forward and backward in its turn; the gradients are sent once, with the last, before the step."""
    kinds = [(1, None), (draw.integer(2, 3), SCALER), (draw.integer(4, 5), None)]
    for (micro_batches, scaler), wrapper in itertools.product(kinds, ("torch", "own")):
        width, counts = draw.integer(6, 60), [draw.integer(5, 9), draw.integer(5, 9)]
        batch, start = (
            reference.drawn_batch(draw, counts, width),
            {name: draw.normal(width) for name in drawn_start(draw)},
        )
        seen = observe(
            scenarios.order, ranks=2, **start, batch=batch, micro_batches=micro_batches, scaler=scaler, wrapper=wrapper
        )
        for rank in RANKS:
            why = "all parts but the last run in model.no_sync(), forward pass and backward pass; then one step"
            expect(seen[rank], f"events with {micro_batches} micro-batches on rank {rank}").equals(
                ["forward", "backward"] * micro_batches + [8 * width, "step"], why
            )


def test_step_clips_the_averaged_gradient(observe, draw):
    """max_grad_norm limits the true, averaged gradient of all parameters of the optimizer; 0.0 is a limit too."""
    for scaler, only_weight in ((None, True), (SCALER, False)):
        batches = [reference.drawn_batch(draw, (draw.integer(4, 6), draw.integer(7, 9))) for _ in range(2)]
        norms = [norm / (2**0.5 if only_weight else 1.0) for norm in reference.norms(batches)]
        for limit in (0.5 * min(norms), 1.1 * max(norms), 0.0):
            start, several = drawn_start(draw), 0 < limit < min(norms)
            seen = observe(
                scenarios.steps, ranks=2, **start, batches=batches, micro_batches=draw.integer(2 if several else 1, 3),
                limit=limit, scaler=scaler, only_weight=only_weight,
            )  # fmt: skip
            expected = reference.stepped(start["weight"], batches, 1.0, limit, both=not only_weight)
            why = "after the last part: unscale, then clip the optimizer's parameters together, then step"
            if limit > max(norms):
                why = "within the limit: measure it averaged, unscaled, and of the optimizer's parameters"
            expect_steps(seen, start["weight"], expected, why, spare=not only_weight)


def test_overflow_skips_on_all_ranks(observe, draw):
    """An inf in any part of one rank's batch skips the step on all ranks; all have the same loss scale."""
    for wrapper, wire, clips in (("torch", None, False), ("own", torch.bfloat16, True)):
        parts = draw.integer(3, 4)
        bad = draw.shuffled([(0, 0), (1, 0), (0, 1), (1, 1), (0, parts - 1), (1, parts - 1), None, None, None])
        start, batches = drawn_start(draw), []
        for place in bad:
            batches.append(reference.drawn_batch(draw, (draw.integer(5, 7), draw.integer(8, 9))))
            if place is not None:
                reference.spoil(draw, batches[-1], *place, parts)
        finite = [one for one, place in zip(batches, bad, strict=True) if place is None]
        limit = 0.5 * min(reference.norms(finite)) if clips else None
        scales, good = [SCALER["init_scale"]], 0
        for place in bad:
            good = 0 if place is not None else good + 1
            scales.append(scales[-1] * (0.5 if place is not None else 2.0 if good == 2 else 1.0))
            good %= 2
        seen = observe(
            scenarios.steps, ranks=2, **start, batches=batches, micro_batches=parts, scaler=SCALER, limit=limit,
            lr=0.1, wrapper=wrapper, wire=wire,
        )  # fmt: skip
        why = "decide by gradients that are averaged over the ranks; update() follows a skipped step too"
        for rank in RANKS:
            found = [step["scale"] for step in seen[rank]]
            expect(found, f"loss scales on rank {rank}").equals(scales[1:], why)
        expected = reference.stepped(start["weight"], batches, 0.1, limit)
        expect_steps(seen, start["weight"], expected, why, STEPS if wire is None else HALF_WIRE)


def test_losses_are_scaled_before_backward(observe, draw):
    """Gradients that are too small for float16 arrive, as the loss is multiplied by the scale first."""
    factor = 2.0**-30
    for micro_batches in (1, draw.integer(2, 4)):
        start, batches = drawn_start(draw), [reference.drawn_batch(draw, (5, draw.integer(6, 9))) for _ in range(2)]
        seen = observe(
            scenarios.steps, ranks=2, **start, batches=batches, micro_batches=micro_batches, factor=factor,
            through_half=True, lr=1.0 / factor, scaler={"init_scale": 2.0**24},
        )  # fmt: skip
        tolerance = Tolerance("scaled gradients pass through float16: 2^-11 of each", rtol=1e-3, atol=5e-3)
        expected = reference.stepped(start["weight"], batches, 1.0)
        expect_steps(seen, start["weight"], expected, "scaler.scale(loss).backward() in every part", tolerance)


def test_old_gradients_have_no_part(observe, draw):
    """Gradients that were there before the call, or are left from the step before, have no part in the step."""
    start, old = drawn_start(draw), draw.away_from_zero(5)
    batches = [reference.drawn_batch(draw, (draw.integer(4, 6), draw.integer(4, 6))) for _ in range(3)]
    for micro_batches in (1, 3):
        seen = observe(scenarios.steps, ranks=2, **start, batches=batches, micro_batches=micro_batches, lr=0.5, old=old)
        expected = reference.stepped(start["weight"], batches, 0.5)
        expect_steps(seen, start["weight"], expected, "zero_grad once, before the first part")


def test_step_reports_the_loss_of_all_samples(observe, draw):
    """The loss is the mean over all samples of both ranks, unscaled, before the step; the same number on both."""
    too_large = {"init_scale": 2.0**127}  # the scaled loss is inf, and the step is skipped
    for scaler, micro_batches in ((None, 1), (SCALER, 3), (too_large, draw.integer(1, 2))):
        start, factor = drawn_start(draw), 2.0 ** draw.integer(5, 7)
        batches = [reference.drawn_batch(draw, (draw.integer(4, 5), draw.choice((7, 8, 10))))]  # 3 divides none
        seen = observe(
            scenarios.steps, ranks=2, **start, batches=batches, micro_batches=micro_batches, scaler=scaler,
            factor=factor,
        )  # fmt: skip
        loss = factor * reference.loss(start["weight"], start["spare"], batches[0])
        for rank in RANKS:
            expect(seen[rank][0]["loss"], f"loss on rank {rank}").close_to(
                loss, STEPS, "sum up losses times samples, unscaled, and give the sums to mean_over_ranks"
            )
    start, batch = drawn_start(draw), reference.drawn_batch(draw, (draw.integer(5, 7), draw.integer(5, 7)))
    factor = 3e4 / max(abs(reference.loss(**start, batch=[own])) for own in batch)
    seen = observe(
        scenarios.steps, ranks=2, **start, batches=[batch], micro_batches=1, factor=factor, of_loss=torch.float16
    )
    rounding = Tolerance("a float16 loss of each rank", rtol=1e-3, atol=32.0)
    for rank in RANKS:
        expect(seen[rank][0]["loss"], f"loss on rank {rank}, of float16 losses").close_to(
            factor * reference.loss(**start, batch=batch), rounding, "loss.item() first: times the samples it overflows"
        )


def test_rank_without_samples_is_named_everywhere(observe, draw):
    """A rank with fewer samples than micro-batches, or no micro-batches: a ValueError on all ranks, nothing changed."""
    weight, old, cases = draw.normal(5), draw.normal(5), []
    for micro_batches, counts in ((1, (4, 0)), (1, (0, 4)), (3, (2, 6)), (4, (9, 3)), (0, (4, 4)), (-1, (4, 4))):
        cases.append({"micro_batches": micro_batches, "batch": reference.drawn_batch(draw, counts)})
    seen = observe(scenarios.too_few, ranks=2, weight=weight, cases=cases, old=old)
    for rank in RANKS:
        for one, left in zip(cases, seen[rank], strict=True):
            counts = [len(targets) for _, targets in one["batch"]]
            what = f"{counts} samples for {one['micro_batches']} micro-batches, on rank {rank}"
            expect_error(left["raised"], what, "ValueError", "let all ranks know all counts before anything else")
            short = [index for index in RANKS if counts[index] < one["micro_batches"]]
            named = all(f"rank {index}" in left["raised"].message for index in short)
            expect(named, f"{what}: the message names rank {short}").equals(True, "say which rank lacks samples")
            expect(left["weights"], f"{what}: weights").equals([weight, weight], "nothing has changed")
            expect(left["gradient"], f"{what}: gradient").close_to(old, EXACT, "nothing has changed")
            expect(left["passes"], f"{what}: forward passes").equals([], "check before the first forward pass")
