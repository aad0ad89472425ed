"""Step 3, decoding: one behaviour a test, judged by the values that a scenario brought back."""

import itertools

import torch

from labkit.judge.expect import Tolerance, expect
from references.capstones.step_3 import (
    EOS,
    answers,
    changed,
    drawn_sentence,
    drawn_source,
    drawn_table,
    table_of,
)
from scenarios.capstones import step_3 as scenarios
from suites.capstones.common import or_its_type

EXACT = Tolerance("one division", rtol=1e-6)
DTYPES = (torch.float32, torch.bfloat16, torch.float16)
MODES = [*itertools.product((True, False), repeat=5)]  # of the model, a module, two in it, another with one of these


def drawn_modes(draw, count: int) -> list[tuple[bool, ...]]:
    """Among them a model in train mode with modules in eval mode, and the other way round."""
    mixed = [(top, not top, top, not top, top) for top in (True, False)]
    return draw.shuffled([*mixed, *draw.shuffled(MODES)[: count - 2]])


def drawn_lengths(draw) -> list[int]:
    return [draw.integer(1, 7) for _ in range(draw.integer(2, 5))]


def test_likeliest_token_each_time(observe, draw):
    """greedy_decode takes the likeliest token at each position, given the source and all tokens before it."""
    table = drawn_table(draw)
    sources = [drawn_source(draw, table, [draw.integer(4, 8)]) for _ in range(6)]
    sources[0] = sources[0].int()  # the tokens that come back are int64 all the same
    seen = observe(scenarios.decoded, table=table, sources=sources, longest=[12] * 6, report=["tokens"])
    for one, source in zip(seen, sources, strict=True):
        right = answers(table, source, 12)
        why = "begin with <sos>, append the argmax of the last position, and show the model all of it again"
        expect(one["tokens"], "tokens of a single row").equals(right, why)


def test_each_row_ends_by_itself(observe, draw):
    """A row ends with its first <eos>; after it there are pads, while the other rows go on."""
    table = drawn_table(draw)
    sources = [drawn_source(draw, table, draw.shuffled([1, 7, *drawn_lengths(draw)])) for _ in range(3)]
    seen = observe(scenarios.decoded, table=table, sources=sources, longest=[12] * 3, report=["tokens"])
    for one, source in zip(seen, sources, strict=True):
        right = answers(table, source, 12)
        width = min(right.shape[1], one["tokens"].shape[1]) if isinstance(one["tokens"], torch.Tensor) else 0
        expect(one["tokens"][:, :width], "tokens").equals(right[:, :width], "keep for each row whether it has ended")
        expect(width >= right.shape[1], "every row is complete").equals(True, "go on until the last row has ended")


def test_decoding_stops_with_the_last_row(observe, draw):
    """The result is as wide as its longest row, and the model runs once for each of its columns."""
    table = drawn_table(draw)
    sources = [drawn_source(draw, table, drawn_lengths(draw)) for _ in range(6)]
    seen = observe(scenarios.decoded, table=table, sources=sources, longest=[20] * 6, report=["tokens", "widths"])
    for one, source in zip(seen, sources, strict=True):
        width = answers(table, source, 20).shape[1]
        expect(one["tokens"].shape[1], "columns").equals(width, "stop as soon as all rows have had their <eos>")
        expect(len(one["widths"]), "forward passes").equals(width, "the model is slow: run it once for each new column")


def test_rows_are_cut_at_max_length(observe, draw):
    """A row without <eos> among its first max_length tokens has max_length tokens."""
    table = drawn_table(draw)
    table[:, EOS] = torch.where(table[:, EOS] > 0, 9.0 * torch.tensor(draw.pattern(len(table))) - 4.5, -9.0)
    longest = [1, *draw.shuffled(range(2, 8))]
    sources = [drawn_source(draw, table, [12, *drawn_lengths(draw)]) for _ in longest]
    seen = observe(scenarios.decoded, table=table, sources=sources, longest=longest, report=["tokens", "widths"])
    for one, source, limit in zip(seen, sources, longest, strict=True):
        right = answers(table, source, limit)
        expect(one["tokens"], f"tokens, at most {limit}").equals(right, "<eos> counts as a token, and <sos> does not")
        beyond = [width for width in one["widths"] if width not in range(1, limit + 1)]
        why = "the last token is not shown to the model again: it may be too many for its positions"
        expect(beyond, f"widths of targets beyond max_length {limit}").equals([], why)


def test_decodes_in_eval_mode_without_gradients(observe, draw):
    """The whole model runs in eval mode, without gradients, in each pass; afterwards gradients are as they were."""
    table, modes, gradients = drawn_table(draw), drawn_modes(draw, 6), draw.pattern(6)
    source = drawn_source(draw, table, [6, *drawn_lengths(draw)])
    seen = observe(
        scenarios.decoded_in, table=table, source=source, dtypes=[torch.float32] * 6, modes=modes, fails_at=[None] * 6,
        gradients=gradients,
    )  # fmt: skip
    right = answers(table, source, 12)
    for one, before, were_on in zip(seen, modes, gradients, strict=True):
        expect([call["modes"] for call in one["calls"]], f"modes in each pass, which were {before}").equals(
            [[False] * 5] * right.shape[1], "model.eval() comes before the first pass"
        )
        expect([call["gradients"] for call in one["calls"]], "gradients are on, in each pass").equals(
            [False] * right.shape[1], "torch.no_grad() saves the memory of all passes"
        )
        expect(one["after"]["gradients"], f"gradients are on afterwards, which were {were_on} before").equals(
            were_on, "training goes on after decoding, and so does a region of the caller's without gradients"
        )
        expect(one["result"], "tokens").equals(right, "neither the modes nor gradients change what is said")


def test_modes_are_as_before(observe, draw):
    """After decoding each module is in the mode that it was in before."""
    expect_modes(observe, draw, [None] * 8)


def test_modes_are_as_before_after_an_error(observe, draw):
    """Each module is in the mode that it was in before also if the model raises; the error comes through."""
    expect_modes(observe, draw, [draw.integer(0, 3) for _ in range(8)])


def expect_modes(observe, draw, fails_at: list) -> None:
    table, modes = drawn_table(draw), drawn_modes(draw, 8)
    source = drawn_source(draw, table, [7, *drawn_lengths(draw)])
    seen = observe(
        scenarios.decoded_in, table=table, source=source, dtypes=[torch.float32] * 8, modes=modes, fails_at=fails_at
    )
    right = answers(table, source, 12)
    for one, before, failing in zip(seen, modes, fails_at, strict=True):
        expect(one["modes"], "modes afterwards").equals(
            list(before),
            "model.train() would set all modules: remember each module's own mode, and use try and finally",
        )
        if failing is None:
            expect(one["result"], "tokens").equals(right, "the modes do not change what is said")
        else:
            expect(or_its_type(one["result"]), "exception").equals(
                "ArithmeticError", "the caller has to know that the model failed"
            )
            expect(len(one["calls"]), "passes before the failing one").equals(failing, "one pass for each column")


def test_decodes_under_autocast(observe, draw):
    """The model runs under autocast in `dtype`, in float32 without, whatever is around; then all is as it was."""
    cases, table = draw.shuffled([*itertools.product(DTYPES, repeat=2)]), drawn_table(draw)
    dtypes, regions = [case[0] for case in cases], [case[1] for case in cases]
    source = drawn_source(draw, table, drawn_lengths(draw))
    seen = observe(
        scenarios.decoded_in, table=table, source=source, dtypes=dtypes, modes=[[False] * 5] * 9, fails_at=[None] * 9,
        regions=regions,
    )  # fmt: skip
    right = answers(table, source, 12)
    for one, (dtype, region) in zip(seen, cases, strict=True):
        what = f"product of float32 matrices in each pass, {dtype}, called under autocast in {region}"
        expect([call["dtype"] for call in one["calls"]], what).equals(
            [dtype] * right.shape[1], "the model is judged in the format that it will run in: open a region in any case"
        )
        expect(one["after"]["dtype"], "product of float32 matrices afterwards").equals(region, "the region ends")
        expect(one["result"], f"tokens in {dtype}").equals(right, "tokens are int64 in every dtype")


def test_decoding_of_nothing_is_refused(observe, draw):
    """greedy_decode raises ValueError if the source has no rows, or if max_length is below 1."""
    table, kinds = drawn_table(draw), draw.shuffled(["fine"] * 4 + ["no rows"] * 2 + ["no length"] * 2)
    sources = [drawn_source(draw, table, drawn_lengths(draw)) for _ in kinds]
    sources = [source[:0] if kind == "no rows" else source for source, kind in zip(sources, kinds, strict=True)]
    none = itertools.cycle((0, -draw.integer(1, 9)))
    longest = [next(none) if kind == "no length" else draw.integer(1, 12) for kind in kinds]
    seen = observe(scenarios.decoded, table=table, sources=sources, longest=longest, report=["tokens"])
    for one, source, limit, kind in zip(seen, sources, longest, kinds, strict=True):
        right = answers(table, source, limit) if kind == "fine" else "ValueError"
        expect(or_its_type(one["tokens"]), f"tokens of {len(source)} rows, max_length {limit}").equals(
            right, "say what is wrong with the call"
        )


# Exact match


def expect_shares(observe, draw, kinds: list[str], after: bool, why: str) -> None:
    """The shares of several pairs of decoded rows and targets; `kinds` are those of wrong rows."""
    decoded, targets, shares, in_turn = [], [], [], itertools.cycle(draw.shuffled(kinds))
    for _ in range(8):
        count, wrong = draw.integer(3, 12), draw.pattern(8, draw.number(0.2, 0.8))
        sentences = [drawn_sentence(draw, draw.integer(2, 6)) for _ in range(count)]
        chosen = [next(in_turn) if draw.choice(wrong) else "right" for _ in sentences]
        rows = [changed(draw, sentence, kind) for sentence, kind in zip(sentences, chosen, strict=True)]
        same = [row == sentence for row, sentence in zip(rows, sentences, strict=True)]
        decoded.append(table_of(draw, rows, after))
        targets.append(table_of(draw, sentences, after))
        shares.append(sum(same) / count)
    seen = observe(scenarios.matches, decoded=decoded, targets=targets)
    for one, share, target in zip(seen, shares, targets, strict=True):
        expect(one, f"share of {len(target)} rows").close_to(share, EXACT, why)


def test_share_of_rows_that_are_right(observe, draw):
    """exact_match is the share of rows without a wrong token, <eos> included."""
    kinds = [
        "another token",
        "another last token",
        "too early",
        "too late",
        "begins with sos",
        "swapped",
        "pad inside",
        "pad before the end",
    ]
    expect_shares(observe, draw, kinds, False, "a row counts 1 if all of its tokens are right, else 0")


def test_rest_of_a_row_does_not_count(observe, draw):
    """What comes after the first <eos> does not count, nor how wide the tensors are."""
    expect_shares(observe, draw, ["another token", "too early"], True, "compare each row up to its first <eos>")


def test_row_without_end_is_wrong(observe, draw):
    """A decoded row that never says <eos> is wrong, whatever its tokens are, also if it is cut just before."""
    why = "a row cut at max_length has no end"
    expect_shares(observe, draw, ["never ends", "goes on instead"], False, why)
    decoded, targets, shares = [], [], []
    for _ in range(6):
        sentences = [drawn_sentence(draw, draw.integer(2, 7)) for _ in range(draw.integer(4, 9))]
        width = draw.integer(2, 7)
        targets.append(table_of(draw, sentences, False))
        decoded.append(targets[-1][:, :width])
        shares.append(sum(len(one) <= width for one in sentences) / len(sentences))
    for one, share, cut in zip(
        observe(scenarios.matches, decoded=decoded, targets=targets), shares, decoded, strict=True
    ):
        expect(one, f"share of {len(cut)} right rows that are cut after {cut.shape[1]} tokens").close_to(
            share, EXACT, why
        )


def test_matches_of_nothing_are_refused(observe, draw):
    """exact_match raises ValueError without rows, or with more rows of one than of the other."""
    kinds = draw.shuffled(["fine"] * 5 + ["none", "more decoded", "more targets", "no decoded"])
    decoded, targets, shares = [], [], []
    for kind in kinds:
        sentences = [drawn_sentence(draw, draw.integer(2, 6)) for _ in range(draw.integer(3, 12))]
        right = draw.pattern(len(sentences))
        rows = [
            changed(draw, one, "right" if good else "too early") for one, good in zip(sentences, right, strict=True)
        ]
        less = draw.integer(1, 2)
        cut = {"none": (0, 0), "more decoded": (None, -less), "more targets": (-less, None), "no decoded": (0, None)}
        ends = cut.get(kind, (None, None))
        decoded.append(table_of(draw, rows, False)[: ends[0]])
        targets.append(table_of(draw, sentences, False)[: ends[1]])
        shares.append(sum(right) / len(right))
    seen = observe(scenarios.matches, decoded=decoded, targets=targets)
    for one, share, kind, some, target in zip(seen, shares, kinds, decoded, targets, strict=True):
        what = f"share, {len(some)} decoded rows and {len(target)} targets"
        if kind == "fine":
            expect(one, what).close_to(share, EXACT, "these are as many")
        else:
            expect(or_its_type(one), what).equals("ValueError", "a share of no rows, or of other rows, is no number")
