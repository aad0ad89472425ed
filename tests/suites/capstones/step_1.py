"""Step 1, sequences: one behaviour a test, judged by the values that a scenario brought back."""

import itertools

import torch
from torch import Tensor
from torch.nn.functional import pad as with_pads

from labkit.judge.expect import Tolerance, expect
from references.capstones.step_1 import (
    drawn_sequences,
    drawn_sizes,
    drawn_tokens,
    other_token,
    padded,
    rate,
    spelled,
)
from scenarios.capstones import step_1 as scenarios
from suites.capstones.common import or_its_type

FLOAT64 = Tolerance("a few operations in float64", rtol=1e-9)
SAME = Tolerance("float32 rounding in two layers; the same sums may be added in another order", rtol=1e-4, atol=1e-4)
UNSEEN = Tolerance("float32 rounding; what is not seen has no effect at all", atol=1e-5)
SEEN = 1e-6  # what attention hides has no effect at all, and what it sees has one of 1e-5 at least
DIFFERENT = 1e-4  # far above what rounding makes of the same sums in another order
ROWS = 12
# Each attention, where it alone shows: lengths of source and target, scales, and a change that the heads of the others
# do not reach. Over a single token every softmax is 1. Small matrices: what the encoder's heads change is multiplied by
# them twice more on its way to the logits. Large matrices, and sources that are nearly alike: all positions of the
# encoder ask the same and get the same, so that the decoder has nothing to choose from.
ATTENTIONS = (
    ("the decoder", (1, 6), {"matrices": 0.3, "embeddings": 1.0, "common": 0.0}, 0.01),
    ("the decoder for the source", (4, 1), {"matrices": 0.03, "embeddings": 0.3, "common": 0.0}, 0.001),
    ("the encoder", (3, 1), {"matrices": 3.0, "embeddings": 1.0, "common": 5.0}, 0.1),
)


def expect_effect(seen: Tensor, first: int, length: int, what: str, why: str) -> None:
    """Logits of this many positions: the first ones are as they were, all others have changed."""
    expect(seen[:first], f"{what}: logits before it").close_to(torch.zeros(first), UNSEEN, why)
    expect(list(seen.shape), f"{what}: positions").equals([length], "the logits have a row for each target position")
    expect(float(seen[first:].min()), f"{what}: least change at the positions that see it").more_than(SEEN, why)


# Numbers, padding, learning rate


def test_words_of_numbers_below_100(observe, draw):
    """words spells numbers from 0 to 99: a word of their own up to 20, then tens and units."""
    numbers = draw.shuffled(range(100))
    seen = observe(scenarios.spelled, numbers=numbers)
    for one, number in zip(seen, numbers, strict=True):
        expect(one, f"words({number})").equals(spelled(number), "each word is a string; a unit of zero is left out")


def test_words_of_larger_numbers(observe, draw):
    """words spells thousands, hundreds and what is left; what is zero is left out, and there is no "and"."""
    digits = [[draw.integer(1, 9) if used else 0 for used in (a, b, c, d)]
              for a in (0, 1) for b in (0, 1) for c in (0, 1) for d in (0, 1) if a or b]  # fmt: skip
    numbers = [int("".join(map(str, some))) for some in draw.shuffled(digits)]
    thousands, hundreds = 1000 * draw.integer(1, 9), 100 * draw.integer(1, 9)
    numbers += [before + draw.integer(11, 19) for before in draw.shuffled((thousands, hundreds, thousands + hundreds))]
    seen = observe(scenarios.spelled, numbers=numbers)
    for one, number in zip(seen, numbers, strict=True):
        expect(one, f"words({number})").equals(spelled(number), "thousands, hundreds, then the rest, if it is not zero")


def test_numbers_out_of_range_are_refused(observe, draw):
    """words raises ValueError below 0 and above 9999, and for no number between."""
    inside = [0, 9999, *(draw.integer(1, 9998) for _ in range(4))]
    outside = [-1, 10_000, -draw.integer(2, 99), draw.integer(10_001, 99_999), draw.integer(10**6, 10**9)]
    numbers = draw.shuffled(inside + outside)
    seen = [or_its_type(one) for one in observe(scenarios.spelled, numbers=numbers)]
    for one, number in zip(seen, numbers, strict=True):
        right = spelled(number) if number in inside else "ValueError"
        expect(one, f"words({number})").equals(right, "0 and 9999 are the ends, and both belong to the range")


def test_pad_fills_rows_up_on_the_right(observe, draw):
    """pad gives an int64 tensor as wide as the longest sequence; pads are on the right; the sequences stay."""
    batches = [drawn_sequences(draw, draw.integer(2, 5)) for _ in range(3)] + [drawn_sequences(draw, 2)[:1]]
    batches += [[[] for _ in range(draw.integer(1, 9))]]  # all empty: a row for each all the same, and int64
    values = [None, *draw.shuffled((draw.integer(90, 99), -draw.integer(1, 99), 0)), None]
    seen = observe(scenarios.padded, batches=batches, values=values)
    for one, batch, value in zip(seen, batches, values, strict=True):
        what = "pad" if value is None else f"pad with value={value}"
        why = "a row for each sequence: its tokens, then `value` (PAD if none is given) up to the longest"
        expect(one["rows"], what).equals(padded(batch, value or 0), why)
        expect(one["batch"], "the sequences afterwards").equals(batch, "make new rows: the caller keeps the lists")


def test_no_sequences_are_refused(observe, draw):
    """pad raises ValueError if there are no sequences."""
    empty = draw.pattern(6)
    batches = [[] if none else drawn_sequences(draw, draw.integer(2, 4)) for none in empty]
    seen = observe(scenarios.padded, batches=batches, values=[None] * 6)
    rows = [or_its_type(one["rows"]) for one in seen]
    for one, batch in zip(rows, batches, strict=True):
        right = padded(batch, 0) if batch else "ValueError"
        expect(one, f"pad of {len(batch)} sequences").equals(right, "an empty batch has no longest sequence")


def test_noam_rises_in_a_line_and_falls_with_the_root(observe, draw):
    """noam gives the rate of a step from 1 on: highest at `warmup`, proportional to `factor` and 1 / sqrt(d_model)."""
    cases = []
    for place in (0, 0.3, 0.9, 1, 1.2, 4):
        warmup, width = draw.integer(20, 400), draw.integer(8, 512)
        case = {"step": max(1, int(place * warmup)), "d_model": width, "warmup": warmup}
        cases += [case, case | {"factor": draw.number(0.2, 3.0)}]
    seen = observe(scenarios.rates, arguments=cases)
    for one, case in zip(seen, cases, strict=True):
        says = ", ".join(f"{name}={value:.4g}" for name, value in case.items())
        expect(one, f"noam({says})").close_to(
            rate(**({"factor": 1.0} | case)), FLOAT64, "the smaller one of step**-0.5 and step * warmup**-1.5"
        )


def test_impossible_rates_are_refused(observe, draw):
    """noam raises ValueError if step, d_model or warmup is below 1."""
    good = [{name: draw.integer(1, 99) for name in ("step", "d_model", "warmup")} for _ in range(5)]
    bad = [{name: draw.integer(1, 99) for name in ("step", "d_model", "warmup")} | {name: value}
           for name in ("step", "d_model", "warmup") for value in (0, -draw.integer(1, 9))]  # fmt: skip
    cases = draw.shuffled(good + bad)
    seen = [or_its_type(one) for one in observe(scenarios.rates, arguments=cases)]
    for one, case in zip(seen, cases, strict=True):
        what = f"noam({', '.join(f'{name}={value}' for name, value in case.items())})"
        if case in bad:
            expect(one, what).equals("ValueError", "steps are counted from 1; a width and a warmup are at least 1")
        else:
            expect(one, what).close_to(rate(**case, factor=1.0), FLOAT64, "1 is possible for each of them")


# The model


def test_logits_for_each_position(observe, draw):
    """Seq2Seq gives float32 logits of each target token at each target position, for sources of any length."""
    for heads in draw.shuffled((1, 2, 3)):
        width = draw.choice((3, 5)) if heads == 1 else draw.integer(3, 6)  # an odd width in every run
        sizes = drawn_sizes(draw, heads=heads, d_model=heads * width, max_length=8)
        ends = draw.shuffled([(8, draw.integer(1, 7)), (draw.integer(1, 7), 8), (1, draw.integer(2, 7))])
        rows = [draw.integer(1, 4) for _ in ends]
        sources, targets = (
            [drawn_tokens(draw, sizes[name], n, pair[side]) for n, pair in zip(rows, ends, strict=True)]
            for side, name in enumerate(("source_tokens", "target_tokens"))
        )
        seen = observe(scenarios.logits, sizes=sizes, sources=sources, targets=targets, seed=draw.integer(0, 10**6))
        for one, target in zip(seen, targets, strict=True):
            expect([one.dtype, list(one.shape)], "dtype and shape of the logits").equals(
                [torch.float32, [*target.shape, sizes["target_tokens"]]], "(N, T, target_tokens), batch first"
            )
            expect(bool(one.isfinite().all()), "all logits are finite").equals(True, "no row is masked as a whole")
        least = min(float(one.min()) for one in seen)
        expect(-least, "minus the lowest logit").more_than(0.0, "logits have either sign: the loss takes the softmax")


def drawn_places(draw, length: int) -> list[int]:
    """Places in a row of this length: the first, the last, and two of the others, in a drawn order."""
    return draw.shuffled([0, length - 1, *(draw.integer(1, length - 2) for _ in range(2))])


def drawn_changes(draw, sizes: dict, side: int) -> tuple[list, list, list[int]]:
    """Pairs of a source and a target, the same with one token changed in one of them, and the place of the change."""
    vocabularies = [sizes[f"{name}_tokens"] for name in scenarios.SIDES]
    length_changed = draw.integer(4, 10)
    pairs, changed, places = [], [], []
    for place in drawn_places(draw, length_changed):
        lengths = [length_changed if number == side else draw.integer(4, 10) for number in range(2)]
        pair = [drawn_tokens(draw, size, length) for size, length in zip(vocabularies, lengths, strict=True)]
        other = [row.clone() for row in pair]
        other[side][place] = other_token(draw, int(pair[side][place]), vocabularies[side])
        pairs.append(pair)
        changed.append(other)
        places.append(place)
    return pairs, changed, places


def test_later_target_tokens_are_not_seen(observe, draw):
    """A target position sees itself and what is before it: another token changes its own logits and later ones only."""
    for layers in draw.shuffled((1, 2)):
        sizes = drawn_sizes(draw, layers=layers)
        pairs, changed, places = drawn_changes(draw, sizes, side=1)
        seen = observe(scenarios.changes, sizes=sizes, pairs=pairs, changed=changed, seed=draw.integer(0, 10**6))
        for one, (_, target), place in zip(seen, pairs, places, strict=True):
            what = f"target token {place} of {len(target)} changed"
            why = "mask what is after each position, and nothing else, in each layer"
            expect_effect(one, place, len(target), what, why)


def test_every_target_position_sees_the_whole_source(observe, draw):
    """Another token anywhere in the source changes the logits at every target position."""
    for layers in draw.shuffled((1, 2)):
        sizes = drawn_sizes(draw, layers=layers)
        pairs, changed, places = drawn_changes(draw, sizes, side=0)
        seen = observe(scenarios.changes, sizes=sizes, pairs=pairs, changed=changed, seed=draw.integer(0, 10**6))
        for one, (source, target), place in zip(seen, pairs, places, strict=True):
            what = f"source token {place} of {len(source)} changed"
            expect_effect(one, 0, len(target), what, "the decoder attends to all of the source at each position")


def test_order_of_the_tokens_matters(observe, draw):
    """Two tokens that change places, in the source or in the target, change the logits of what sees both."""
    sizes = drawn_sizes(draw)
    pairs, changed, firsts = [], [], []
    for side in draw.shuffled((0, 0, 0, 0, 1, 1, 1, 1)):
        pair = [drawn_tokens(draw, sizes[f"{name}_tokens"], draw.integer(4, 10)) for name in scenarios.SIDES]
        place = draw.integer(0, len(pair[side]) - 3)
        swapped = [row.clone() for row in pair]
        swapped[side][place : place + 2] = pair[side][place : place + 2].flip(0)
        pairs.append(pair)
        changed.append(swapped)
        firsts.append(place + 2 if side else 0)  # the target's later positions have seen the same tokens
    seen = observe(scenarios.changes, sizes=sizes, pairs=pairs, changed=changed, seed=draw.integer(0, 10**6))
    why = "without positions, attention takes a row of tokens for a heap of them"
    for one, (_, target), first in zip(seen, pairs, firsts, strict=True):
        what = f"two neighbours of the {'target' if first else 'source'} changed places"
        expect(list(one.shape), "positions").equals([len(target)], "the logits have a row for each target position")
        expect(float(one[first:].max()), f"{what}: largest change of what sees both").more_than(DIFFERENT, why)


def test_rows_do_not_see_each_other(observe, draw):
    """What the model says of a row in a batch is what it says of the row alone."""
    for _ in range(2):
        sizes, rows = drawn_sizes(draw), draw.integer(3, 5)
        lengths = draw.integer(3, 10), draw.integer(3, 10)
        source, target = (drawn_tokens(draw, sizes[f"{side}_tokens"], rows, length)
                          for side, length in zip(scenarios.SIDES, lengths, strict=True))  # fmt: skip
        expect_rows(observe, draw, sizes, [source, target], [lengths] * rows, "attention runs along a row: batch_first")


def test_pads_change_nothing(observe, draw):
    """Pads on the right of a row, in the source or in the target, leave its logits as they are without pads."""
    for layers in draw.shuffled((1, 2)):
        sizes = drawn_sizes(draw, layers=layers)
        lengths = [(draw.integer(2, 5), draw.integer(2, 5)) for _ in range(draw.integer(2, 3))]
        lengths += [(draw.integer(2, 5), 8), (8, draw.integer(2, 5))]
        batch = []
        for side, name in enumerate(scenarios.SIDES):
            rows = [drawn_tokens(draw, sizes[f"{name}_tokens"], pair[side]) for pair in lengths]
            batch.append(torch.stack([with_pads(row, (0, 8 - len(row))) for row in rows]))
        why = "no attention to the source's pads: neither in the encoder, nor from the decoder, in any layer"
        expect_rows(observe, draw, sizes, batch, lengths, why)


def expect_rows(observe, draw, sizes: dict, batch: list[Tensor], lengths: list, why: str) -> None:
    """Each row's logits in the batch are those of the row alone, without pads; `lengths` are of source and target."""
    alone = [[tokens[row : row + 1, :length] for tokens, length in zip(batch, pair, strict=True)]
             for row, pair in enumerate(lengths)]  # fmt: skip
    sources, targets = zip(batch, *alone, strict=True)
    together, *single = observe(
        scenarios.logits, sizes=sizes, sources=sources, targets=targets, seed=draw.integer(0, 10**6)
    )
    for row, (_, length) in enumerate(lengths):
        expect(list(single[row].shape), f"row {row} alone: shape of the logits").equals(
            [1, length, sizes["target_tokens"]], "(N, T, target_tokens)"
        )
        expect(together[row, :length], f"logits of row {row} in the batch").close_to(single[row][0], SAME, why)


def test_logits_follow_from_the_state_dict(observe, draw):
    """Train mode and eval mode give the same logits each time, and so does another model with this state dict."""
    for _ in range(3):
        sizes, shape = drawn_sizes(draw), (draw.integer(2, 5), draw.integer(3, 9))
        source, target = (drawn_tokens(draw, sizes[f"{side}_tokens"], *shape) for side in scenarios.SIDES)
        seeds = [draw.integer(0, 10**6) for _ in range(2)]
        seen = observe(scenarios.states, sizes=sizes, source=source, target=target, seeds=seeds)
        expect(list(seen["eval"].shape), "shape of the logits").equals([*shape, sizes["target_tokens"]], "(N, T, V)")
        for name, what in (("train", "in train mode"), ("again", "in train mode again")):
            expect(seen[name], f"logits {what}").close_to(
                seen["eval"], SAME, "there is no dropout (nn's default is 0.1)"
            )
        expect(seen["loaded"], "logits of a model with the same state dict").close_to(
            seen["eval"], SAME, "whatever is drawn at random has to be a parameter or a buffer"
        )


def test_gradients_reach_both_embeddings(observe, draw):
    """Gradients reach all parameters, the embedding of each token of source and target, and no other token's."""
    sizes = drawn_sizes(draw) | dict(
        zip(("source_tokens", "target_tokens"), draw.shuffled(range(61, 90)), strict=False)
    )
    tokens = [drawn_tokens(draw, sizes[f"{side}_tokens"], 3, draw.integer(4, 8)) for side in scenarios.SIDES]
    column = draw.integer(3, sizes["target_tokens"] - 1)
    source = with_pads(tokens[0], (0, 2))
    seen = observe(
        scenarios.trained, sizes=sizes, source=source, target=tokens[1], seed=draw.integer(0, 10**6), column=column
    )
    used = [tokens[0].unique().tolist(), sorted({*tokens[1].unique().tolist(), column})]
    why = "nothing between the embeddings and the logits may be detached; pads are not learned from"
    for side, right in zip(scenarios.SIDES, used, strict=True):
        expect(seen[side], f"{side} tokens that a gradient reaches").equals(right, why)
    expect(seen["left out"], "parameters that no gradient reaches").equals(0, "what has no part is never trained")


def test_layers_and_feedforward_set_the_size(observe, draw):
    """A layer more is an encoder layer and a decoder layer, with two linear layers of width `feedforward` in each."""
    variants, right = [], []
    for layers, width in ((1, 48), (2, 4 * draw.integer(2, 6)), (3, 4 * draw.integer(7, 11))):
        inner = draw.integer(8, 90)
        sizes = drawn_sizes(draw, d_model=width, heads=2, feedforward=inner)
        variants += [sizes | {"layers": layers}, sizes | {"layers": layers + 1}]
        right.append([width, inner])
    seen = observe(scenarios.counts, variants=variants)
    for case, (width, inner) in enumerate(right):
        matrices = 12 * width**2 + 4 * width * inner
        of_vectors = 12 * width + inner
        expect(seen[2 * case + 1] - seen[2 * case], f"parameters of a layer more (d {width}, ff {inner})").close_to(
            matrices + of_vectors,
            Tolerance("biases and norms may be there or not", atol=14 * width + 2 * inner),
            "4 matrices of attention in the encoder layer and 8 in the decoder layer, 2 of the feedforward in both",
        )


def test_heads_share_the_width(observe, draw):
    """Each attention has as many heads as asked for: the encoder's, the decoder's, and that from decoder to encoder."""
    shared = {"heads": 1, "d_model": 12, "source_tokens": draw.integer(61, 70), "target_tokens": draw.integer(71, 400)}
    sizes = drawn_sizes(draw, **shared, max_length=draw.integer(25, 35))
    for name, lengths, scales, least in draw.shuffled(ATTENTIONS):
        sources, targets = (drawn_tokens(draw, sizes[f"{side}_tokens"], ROWS, length)
                            for side, length in zip(scenarios.SIDES, lengths, strict=True))  # fmt: skip
        targets = targets if lengths[1] > 1 else targets[:1].expand(ROWS, 1)  # it is the sources that differ
        seeds = [draw.integer(0, 10**6) for _ in range(2)]
        seen = observe(
            scenarios.heads, sizes=sizes, sources=sources, targets=targets, seeds=seeds,
            numbers=draw.shuffled((1, 2, 3)), scales=scales,
        )  # fmt: skip
        for one in itertools.chain(*seen):
            expect(list(one.shape), "shape of the logits").equals([ROWS, sizes["target_tokens"]], "(N, T, V)")
        changes = [largest(one - other) / largest(one - one.roll(1, dims=0))
                   for models in seen for one, other in zip(models, [*models[1:], models[0]], strict=True)]  # fmt: skip
        mean = float(torch.stack(changes).mean())
        expect(mean, f"change with the number of heads of {name}, against that with another row").more_than(
            least, "each of the three attentions has `heads` heads, and each head a softmax of its own"
        )


def largest(changes: Tensor) -> Tensor:
    """The largest change of a row's logits, in the median row."""
    return changes.abs().amax(dim=-1).median()


def test_runs_under_autocast(observe, draw):
    """Under autocast the logits are those of float32, up to rounding, in both modes, with and without gradients."""
    cases = [(dtype, trains, grads) for dtype in (torch.bfloat16, torch.float16) for trains in (True, False)
             for grads in (True, False)]  # fmt: skip
    dtypes, modes, gradients = zip((torch.float32, False, False), *draw.shuffled(cases), strict=True)
    sizes = drawn_sizes(
        draw, heads=2, d_model=2 * draw.integer(4, 8), target_tokens=draw.integer(30, 400)
    )  # the fused attention needs an even number of heads
    lengths = [draw.integer(2, 7) for _ in range(3)]
    source, target = (
        torch.stack([with_pads(drawn_tokens(draw, sizes[f"{side}_tokens"], n), (0, 8 - n)) for n in (*lengths, 8)])
        for side in scenarios.SIDES
    )
    exact, *seen = observe(
        scenarios.under_autocast, sizes=sizes, source=source, target=target, seed=draw.integer(0, 10**6),
        dtypes=dtypes, modes=modes, gradients=gradients,
    )  # fmt: skip
    expect(list(exact.shape), "shape of the logits").equals([4, 8, sizes["target_tokens"]], "(N, T, target_tokens)")
    real = target != 0
    for one, dtype, trains in zip(seen, dtypes[1:], modes[1:], strict=True):
        spacing = torch.finfo(dtype).eps
        tolerance = Tolerance("a few roundings to 16 bits", rtol=16 * spacing, atol=16 * spacing)
        expect(one[real], f"logits in {dtype}, {'train' if trains else 'eval'} mode").close_to(
            exact[real], tolerance, "is a layer left out, or a mask lost, in one of the modes?"
        )


def test_bad_tokens_are_refused(observe, draw):
    """Seq2Seq raises ValueError for tokens it does not know, too many or none, for rows of pads, and for no rows."""
    sizes = drawn_sizes(draw)
    longest, rows = sizes["max_length"], draw.integer(2, 4)

    def fine(n: int = rows) -> list[Tensor]:
        return [drawn_tokens(draw, sizes[f"{side}_tokens"], n, draw.integer(2, longest)) for side in scenarios.SIDES]

    cases = {"fine": fine(), "fine too": fine(1), "fine again": fine()}
    for side, name in enumerate(scenarios.SIDES):
        for what, token in (("below 0", -1), ("just beyond", 0), ("far beyond", draw.integer(1, 50))):
            pair = cases[f"a {name} token {what}"] = fine()
            place = draw.integer(0, rows - 1), draw.integer(0, pair[side].shape[1] - 1)
            pair[side][place] = token if token < 0 else sizes[f"{name}_tokens"] + token
        for what, length in (("no", 0), (f"{longest + 1} of {longest}", longest + 1)):
            pair = cases[f"{what} {name} tokens"] = fine()
            pair[side] = drawn_tokens(draw, sizes[f"{name}_tokens"], rows, length)
    cases["no rows"] = fine(0)
    cases["rows that differ"] = [fine()[0], fine(rows + 1)[1]]
    cases["a single source row"] = [fine(1)[0], fine()[1]]
    for name, row in (("first", 0), ("last", rows - 1)):
        pads = cases[f"a row of pads, the {name}"] = fine()
        pads[0][row] = 0
    names = draw.shuffled(list(cases))
    sources, targets = zip(*(cases[name] for name in names), strict=True)
    seen = [or_its_type(one) for one in observe(scenarios.shapes, sizes=sizes, sources=sources, targets=targets)]
    for one, name, target in zip(seen, names, targets, strict=True):
        right = [*target.shape, sizes["target_tokens"]] if name.startswith("fine") else "ValueError"
        expect(one, f"{name}: shape of the logits").equals(
            right, "look at the tokens first: the error names what is wrong"
        )


def test_bad_sizes_are_refused(observe, draw):
    """Seq2Seq raises ValueError if a size is below 1, or if d_model is not a multiple of heads."""
    shape = draw.integer(1, 4), draw.integer(1, 6)
    source, target = (draw.integers(*shape, low=3, high=11) for _ in scenarios.SIDES)
    good = [drawn_sizes(draw) for _ in range(4)]
    bad = [drawn_sizes(draw) | {name: size} for name in good[0] for size in (0, -1)]
    bad += [drawn_sizes(draw, heads=3, d_model=3 * draw.integer(3, 6) + draw.integer(1, 2))]
    cases = draw.shuffled(good + bad)
    seen = [or_its_type(one) for one in observe(scenarios.built, variants=cases, source=source, target=target)]
    for one, sizes in zip(seen, cases, strict=True):
        right = [*shape, sizes["target_tokens"]] if sizes in good else "ValueError"
        says = ", ".join(f"{name} {value}" for name, value in sizes.items())
        expect(one, f"shape of the logits, {says}").equals(right, "check the sizes before anything is made of them")
