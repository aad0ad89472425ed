"""Step 1, averages: one behaviour a test, judged by the values that the ranks brought back."""

import math

import torch

from labkit.judge.expect import Tolerance, expect, expect_error
from references.data_parallel.common import EXACT, FLOAT64, drawn, drawn_positive, drawn_shapes, expect_gradients, means
from scenarios.data_parallel import step_1 as scenarios

RANKS = (0, 1)
QUOTIENT = Tolerance("float64 rounding of two sums and a division", rtol=1e-14)
BFLOAT16_SUM = Tolerance("one bfloat16 sum of halves that are exact", ulps=1.0)


def broadcast_cases(draw):
    """Models of float32 and bfloat16 parameters, with buffers of several kinds; from the default, from 0 and from 1."""
    for source in draw.shuffled((None, 0, 1)):
        shapes = drawn_shapes(draw, 4)
        values = [[*drawn(draw, shapes[:2]), *drawn(draw, shapes[2:], torch.bfloat16)] for _ in RANKS]
        for rank in RANKS:
            draw.choice(values[rank]).view(-1)[0] = -0.0  # a sum with zeros loses its sign
        buffers = [
            [
                draw.normal(draw_size := 3),
                draw.integers(draw_size, low=2**60, high=2**62),  # neither float32 nor float64 has most of them
                draw.integers(5, high=2).bool(),
                draw.normal(2, 2, dtype=torch.bfloat16),
                draw.integers(1, high=9)[0],
            ]
            for _ in RANKS
        ]
        yield {
            "values": values,
            "buffers": buffers,
            "frozen": [draw.integer(0, 3)],
            "tied": [draw.integer(0, 3)],
            "turned": source == 0,
            "source": source,
        }


def test_broadcast_gives_all_ranks_the_source(observe, draw):
    """All parameters of all ranks become those of the source, rank 0 by default; frozen ones too, of any dtype."""
    for case in broadcast_cases(draw):
        source = case["source"] or 0
        seen = observe(scenarios.broadcast, ranks=2, **case)
        for rank in RANKS:
            expect(seen[rank]["parameters"], f"parameters of rank {rank}, source {source}").equals(
                case["values"][source],
                "every parameter is sent, those that do not train too",
                bits=True,
            )


def test_broadcast_gives_buffers_too(observe, draw):
    """All buffers become those of the source: integers, bools and those that are not saved too."""
    for case in broadcast_cases(draw):
        source = case["source"] or 0
        seen = observe(scenarios.broadcast, ranks=2, **case)
        for rank in RANKS:
            expect(seen[rank]["buffers"], f"buffers of rank {rank}, source {source}").equals(
                case["buffers"][source], "model.buffers() has all of them, model.state_dict() not", bits=True
            )


def test_broadcast_keeps_the_objects(observe, draw):
    """Parameters and buffers stay the same objects in the same memory, contiguous or not, and train as before."""
    for case in broadcast_cases(draw):
        seen = observe(scenarios.broadcast, ranks=2, **case)
        for rank in RANKS:
            one = seen[rank]
            what = f"rank {rank}: same objects, memory and strides"
            expect(one["same places"], what).equals(True, "send in place, also what is not contiguous")
            trained = [index not in case["frozen"] for index in range(4)]
            expect(one["trained"], f"rank {rank}: requires_grad").equals(trained, "what trained before trains after")
            expect(one["parameters"], f"parameters of rank {rank}").equals(
                case["values"][case["source"] or 0], "the values are the source's, in the old memory"
            )


def test_models_that_differ_are_refused(observe, draw):
    """Models that differ in number, shape, dtype or what trains: a ValueError on every rank, which names the other."""
    shapes = drawn_shapes(draw, 3)
    values, more = drawn(draw, shapes), draw.normal(2)
    pairs: dict[str, tuple[dict, dict]] = {  # what one rank has, and the other
        "another shape": ({}, {"values": [*values[:2], draw.normal(shapes[2][0] + 1, *shapes[2][1:])]}),
        "as many numbers in another shape": ({}, {"values": [*values[:2], values[2].T.contiguous()[None]]}),
        "the parameters in another order": ({}, {"values": [values[2], *values[:2]]}),
        "another dtype": ({}, {"values": [values[0].bfloat16(), *values[1:]]}),
        "one parameter more": ({}, {"values": [*values, more]}),
        "one parameter less": ({}, {"values": values[:2]}),
        "a parameter frozen": ({}, {"frozen": [1]}),
        "another parameter frozen": ({"frozen": [0]}, {"frozen": [draw.integer(1, 2)]}),
        "another buffer": ({"buffers": [more]}, {"buffers": [draw.normal(3)]}),
        "a buffer of another dtype": ({"buffers": [more]}, {"buffers": [more.half()]}),
        "one buffer less": ({"buffers": [more]}, {}),
        "two weights shared": ({"values": [*values, values[0]]}, {"values": [*values, values[0]], "shares": 3}),
    }
    for odd, source in draw.shuffled([(0, 0), (1, 0), (1, 1)]):
        names = draw.shuffled(list(pairs))
        cases = [[{"values": values} | pairs[name][rank == odd] for rank in RANKS] for name in names]
        for case in cases:  # other numbers on rank 1, so that it shows if they are sent
            for name in ("values", "buffers"):
                case[1] = case[1] | {name: [one + 1 for one in case[1].get(name, ())]}
        seen = observe(scenarios.broadcast_of_models_that_differ, ranks=2, cases=cases, source=source)
        for rank in RANKS:
            for name, case, one in zip(names, cases, seen[rank], strict=True):
                what = f"rank {odd} has {name}, source {source}; on rank {rank}"
                why = "compare before anything is sent; every rank knows of every other, and raises"
                expect_error(one["raised"], what, "ValueError", why)
                expect(
                    f"rank {1 - source}" in one["raised"].message, f"{what}: the message names rank {1 - source}"
                ).equals(True, "say which rank differs from the source")
                own = [*case[rank]["values"][: case[rank].get("shares")], *case[rank].get("buffers", [])]
                expect(one["left"], f"{what}: parameters and buffers").equals(own, "nothing has changed")


def expect_averages(observe, cases: list[dict], why: str, tolerance: Tolerance | None = None) -> None:
    ranks = len(cases[0]["steps"][0])
    seen = observe(scenarios.average, ranks=ranks, cases=cases)
    for rank in range(ranks):
        for number, case in enumerate(cases):
            for step, of_ranks in enumerate(case["steps"]):
                expect_gradients(
                    seen[rank][number][step], means(of_ranks), case["values"], f"rank {rank}, step {step}", why,
                    **({} if tolerance is None else {"tolerance": tolerance}),
                )  # fmt: skip


def test_gradients_become_their_mean(observe, draw):
    """Every gradient becomes the mean over both ranks, on both ranks, in its own dtype; parameters stay."""
    shapes = drawn_shapes(draw, 5)
    for dtype, tolerance in ((torch.float32, None), (torch.bfloat16, BFLOAT16_SUM), (torch.float64, FLOAT64)):
        some = drawn_positive if dtype == torch.bfloat16 else drawn
        steps = [[some(draw, shapes, dtype) for _ in RANKS] for _ in range(2)]
        cases = [{"values": drawn(draw, shapes, dtype), "steps": steps}]
        expect_averages(observe, cases, "the sum over the ranks divided by their number, of parameter.grad", tolerance)
    mixed = [drawn(draw, shapes[:2]) + drawn_positive(draw, shapes[2:], torch.bfloat16) for _ in range(3)]
    why = "parameters of several dtypes are averaged each in its own"
    expect_averages(observe, [{"values": mixed[0], "steps": [mixed[1:]]}], why, BFLOAT16_SUM_OR_FLOAT32)


BFLOAT16_SUM_OR_FLOAT32 = Tolerance("one sum of halves that are exact", ulps=1.0, atol=2e-6)


def test_gradient_of_one_rank_counts_everywhere(observe, draw):
    """A gradient that only one rank has is halved on both: the other one counts as zeros; in every step."""
    shapes = drawn_shapes(draw, 4)
    first, second = draw.integer(0, 3), draw.integer(0, 3)
    steps = []
    for absent in ([first, None], [first, None], [None, second], [(first + 1) % 4, first], [None, None]):
        of_ranks = [drawn(draw, shapes) for _ in RANKS]
        for rank, index in enumerate(absent):
            if index is not None:
                of_ranks[rank][index] = None
        steps.append(of_ranks)
    why = "a parameter without a gradient counts as zeros on its rank, and gets the mean like all others"
    values = drawn(draw, shapes)
    expect_averages(observe, [{"values": values, "steps": steps, "turned": turned} for turned in (False, True)], why)


def test_frozen_and_idle_gradients_stay(observe, draw):
    """A frozen parameter keeps what it has, None or an old gradient; one that no rank used gets None or zeros."""
    shapes = drawn_shapes(draw, 5)
    frozen, old, idle = draw.shuffled(range(5))[:3]
    of_ranks = [drawn(draw, shapes) for _ in RANKS]
    for gradients in of_ranks:
        gradients[frozen] = gradients[idle] = None
    case = {"values": drawn(draw, shapes), "steps": [of_ranks], "frozen": [frozen, old]}
    seen = observe(scenarios.average, ranks=2, cases=[case])
    for rank in RANKS:
        (gradients,) = seen[rank][0]
        expected = means(of_ranks)
        expected[old] = of_ranks[rank][old]  # stays
        why = "the mean over both ranks; an old gradient of a frozen parameter is left alone"
        expect_gradients(gradients, expected, case["values"], f"rank {rank}", why, frozen=[frozen])


def test_tied_weights_are_averaged_once(observe, draw):
    """A parameter that two layers share has one gradient, which is averaged once."""
    shapes = drawn_shapes(draw, 4)
    tied = draw.shuffled(range(4))[:2]
    steps = [[drawn(draw, shapes) for _ in RANKS] for _ in range(2)]
    case = {"values": drawn(draw, shapes), "steps": steps, "tied": tied, "turned": True}
    expect_averages(observe, [case], "model.parameters() gives each parameter once, however many modules have it")


def test_mean_counts_every_sample(observe, draw):
    """The mean is the sum of both totals over the sum of both counts, on both ranks; a rank may count 0."""
    counts = [[draw.integer(1, 9), draw.integer(10, 99), 0, 3], [draw.integer(20, 50), 0, draw.integer(1, 9), 1]]
    totals = [[draw.number(-50, 50) for _ in counts[0]] for _ in RANKS]
    totals[draw.integer(0, 1)][3] = math.nan
    seen = observe(scenarios.means, ranks=2, totals=totals, counts=counts)
    for rank in RANKS:
        for case in range(4):  # the last is nan
            mean = (totals[0][case] + totals[1][case]) / (counts[0][case] + counts[1][case])
            expect(seen[rank][case], f"mean on rank {rank}").close_to(
                mean, QUOTIENT, "add up totals and counts over the ranks first, divide once; a mean of means is another"
            )


def test_mean_over_nothing_is_refused(observe, draw):
    """A count of 0 on all ranks is a ValueError on all of them, and the next mean is right."""
    totals = [[0.0, draw.number(1, 9), draw.number(1, 9)] for _ in RANKS]
    counts = [[0, draw.integer(1, 9), 0] for _ in RANKS]
    seen = observe(scenarios.means, ranks=2, totals=totals, counts=counts)
    for rank in RANKS:
        for case in (0, 2):
            expect_error(seen[rank][case], f"no counts, on rank {rank}", "ValueError", "look at the sum of the counts")
        mean = (totals[0][1] + totals[1][1]) / (counts[0][1] + counts[1][1])
        expect(seen[rank][1], f"mean on rank {rank}").close_to(mean, QUOTIENT, "the ranks go on with the next call")


def test_mean_is_exact_for_large_counts(observe, draw):
    """Counts beyond 2**24 and totals of many digits are added up, to the same bits on all of four ranks."""
    counts = [[2**24 + 1 + 2 * draw.integer(0, 999), 2**40 + 1] for _ in range(4)]
    totals = [[draw.number(1e9, 2e9), *(draw.number(1e15, 2e15) for _ in range(9))] for _ in range(4)]
    counts = [[one, *[other] * 9] for one, other in counts]
    seen = observe(scenarios.means, ranks=4, totals=totals, counts=counts)
    for rank in range(4):
        for case in range(10):
            mean = sum(own[case] for own in totals) / sum(own[case] for own in counts)
            expect(seen[rank][case], f"mean on rank {rank}").close_to(mean, QUOTIENT, "send and add up float64")
        expect(seen[rank], f"means on rank {rank}").equals(seen[0], "the same on every rank: one order of adding up")


def test_half_gradients_do_not_overflow(observe, draw):
    """float16 gradients whose sum over four ranks would be inf have their finite mean."""
    shapes = drawn_shapes(draw, 3)
    large = [[draw.away_from_zero(*shape, low=36000, high=60000).abs().half() for shape in shapes] for _ in range(4)]
    case = {"values": drawn(draw, shapes, torch.float16), "steps": [large]}
    why = "divide by the number of ranks before the sum, or sum in a wider dtype"
    expect_averages(observe, [case], why, Tolerance("three float16 additions, whose sums grow", ulps=1.5))


def test_one_process_needs_a_group_too(observe, draw):
    """Without a group every function raises and changes nothing; in a group of one everything stays as it is."""
    shapes = drawn_shapes(draw, 3)
    values, own, total, count = drawn(draw, shapes), drawn(draw, shapes), draw.number(1, 9), draw.integer(2, 9)
    own[draw.integer(0, 2)] = None
    seen = observe(scenarios.one_process, values=values, own=own, total=total, count=count)
    why = "torch.distributed raises without a group: let it pass through"
    functions = ["broadcast_model", "average_gradients", "mean_over_ranks"]
    expect(seen["without"]["raised"], "functions that raise without a group").equals(functions, why)
    why = "a group of one has itself alone to average over"
    expect(seen["alone"]["raised"], "functions that raise in a group of one").equals([], why)
    expect(seen["alone"]["mean"], "the mean in a group of one").close_to(total / count, QUOTIENT, why)
    for where, one in seen.items():
        expect(one["parameters"], f"{where}: parameters").equals(values, "they stay")
        for index, (gradient, found) in enumerate(zip(own, one["gradients"], strict=True)):
            if gradient is not None:
                expect(found, f"{where}: gradient {index}").close_to(gradient, EXACT, "it stays")
            elif where == "without":
                expect(found, f"{where}: gradient {index}").equals(None, "zeros come after what may raise")
