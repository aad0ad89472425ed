"""Step 2, buckets: one behaviour a test, judged by the values that the ranks brought back."""

import math

import torch

from labkit.judge.expect import Tolerance, expect, expect_error
from references.data_parallel.common import (
    BFLOAT16,
    EXACT,
    FLOAT32,
    FLOAT64,
    drawn,
    drawn_positive,
    drawn_shapes,
    expect_gradients,
    means,
)
from references.data_parallel.step_2 import buckets, sizes
from scenarios.data_parallel import step_2 as scenarios

RANKS = range(4)
DTYPES = (torch.float32, torch.bfloat16)
WHY = "one bucket after the other, from the last parameter to the first; see the docstring for when a new one begins"


def expect_buckets(observe, cases: list[dict], why: str) -> None:
    """Cases of shapes, dtypes and a cap: exactly the buckets that the docstring says."""
    seen = observe(scenarios.buckets, cases=cases)
    for case, found in zip(cases, seen, strict=True):
        expected = buckets(sizes(case["shapes"], case["dtypes"]), case["dtypes"], case["cap"])
        bytes_of = sizes(case["shapes"], case["dtypes"])
        expect(found, f"buckets for parameters of {bytes_of} bytes and a cap of {case['cap']}").equals(expected, why)


def test_buckets_go_from_last_to_first(observe, draw):
    """Buckets, and the parameters in each, go from the last parameter to the first; each parameter is in one."""
    cases = []
    for number, count in enumerate((1, 2, *(draw.integer(5, 12) for _ in range(6)), 0)):
        shapes = [(draw.integer(1, 9), draw.integer(1, 9)) for _ in range(count)]
        dtypes = [(*DTYPES, torch.float64)[number % 3]] * count
        cases.append({"shapes": shapes, "dtypes": dtypes, "cap": draw.integer(100, 500)})
    expect_buckets(observe, cases, WHY)


def test_bucket_is_filled_up_to_the_cap(observe, draw):
    """A bucket of exactly cap_bytes is allowed, one of a byte more is not; an empty parameter has no bytes."""
    cases = []
    for dtype in DTYPES:
        shapes = [(draw.integer(2, 9), draw.integer(2, 9)) for _ in range(14)] + [(), (0, 3)]  # a scalar, and nothing
        shapes[draw.integer(3, 10)] = shapes[11] = (0,)  # the latter behind a bucket that is full
        dtypes = [dtype] * len(shapes)
        last = sum(sizes(shapes, dtypes)[-4:])
        cases += [{"shapes": shapes, "dtypes": dtypes, "cap": cap} for cap in draw.shuffled((last, last - 1, last + 1))]
    expect_buckets(observe, cases, "a parameter joins while the bucket's bytes stay at or below cap_bytes")


def test_large_parameter_has_a_bucket_for_itself(observe, draw):
    """A parameter above the cap is alone in its bucket, and the next one begins a new one, however small."""
    cases = []
    for place in (0, draw.integer(1, 10), 11):
        shapes = [(draw.integer(1, 5), draw.integer(1, 5)) for _ in range(12)]
        shapes[place] = (draw.integer(20, 40), 3)
        cases.append({"shapes": shapes, "dtypes": [torch.float32] * 12, "cap": draw.integer(100, 200)})
    cases.append({"shapes": [(draw.integer(2, 9),) for _ in range(4)], "dtypes": [torch.float32] * 4, "cap": 1})
    empty_first = [(draw.integer(2, 5), 3), (draw.integer(20, 40), 3), *[(0, 3)] * draw.integer(1, 2)]
    cases.append({"shapes": empty_first, "dtypes": [torch.float32] * len(empty_first), "cap": draw.integer(100, 200)})
    expect_buckets(observe, cases, "what does not fit into any bucket is sent alone, and nothing joins it")


def test_bucket_has_one_dtype(observe, draw):
    """A parameter of another dtype begins a new bucket, and one of the first dtype after it another one."""
    cases = []
    for _ in range(4):
        dtypes = draw.shuffled([*DTYPES, *DTYPES, torch.float16, torch.float32, torch.bfloat16])
        shapes = [(draw.integer(1, 6), draw.integer(1, 6)) for _ in dtypes]
        cases.append({"shapes": shapes, "dtypes": dtypes, "cap": draw.integer(150, 600)})
    expect_buckets(observe, cases, "only the newest bucket takes more, and only of the dtype that it has")


def test_cap_below_one_is_refused(observe, draw):
    """A cap below 1 is a ValueError, also without parameters; average_in_buckets changes nothing then."""
    shapes = drawn_shapes(draw, 3)
    values, own = drawn(draw, shapes), drawn(draw, shapes)
    own[draw.integer(0, 2)] = None
    caps = draw.shuffled((0, -1, -draw.integer(2, 99)))
    cases = [
        {"shapes": some, "dtypes": [torch.float32] * len(some), "cap": cap} for cap in caps for some in (shapes, [])
    ]
    for case, raised in zip(cases, observe(scenarios.buckets, cases=cases), strict=True):
        expect_error(raised, f"make_buckets with a cap of {case['cap']}", "ValueError", "check cap_bytes first")
    refused = [*((cap, True) for cap in caps), (caps[0], False), (64, False)]
    for (cap, in_a_group), one in zip(
        refused, observe(scenarios.refused, values=values, own=own, cases=refused), strict=True
    ):
        what = f"average_in_buckets with a cap of {cap}, {'in a group of one' if in_a_group else 'without a group'}"
        why = "make_buckets and torch.distributed raise: let it pass through"
        expect_error(one["raised"], what, "ValueError", why)
        why = "nothing has changed: zeros in the place of None come after what may raise"
        expect(one["parameters"], f"{what}: parameters").equals(values, why)
        expect(one["gradients"], f"{what}: gradients").equals(own, why)


def expect_averages(observe, cases: list[dict], why: str, tolerance: Tolerance = FLOAT32) -> list[list[list[dict]]]:
    """The cases' gradients become the mean over four ranks, on all of them; what was observed."""
    seen = observe(scenarios.average, ranks=4, cases=cases)
    for rank in RANKS:
        for number, case in enumerate(cases):
            for step, of_ranks in enumerate(case["steps"]):
                like = case["values"]
                found, what = seen[rank][number][step]["gradients"], f"case {number}, step {step}, rank {rank}"
                frozen = [*case.get("frozen", ()), *([case["freezes"]] if step and "freezes" in case else [])]
                expect_gradients(found, means(of_ranks), like, what, why, tolerance, frozen)
    return seen


def test_bucketed_average_is_the_mean(observe, draw):
    """Gradients become the mean over four ranks in every bucket; frozen, idle, tied and mixed ones too."""
    shapes = drawn_shapes(draw, 7)
    frozen, idle, lost, freezes = draw.shuffled(range(7))[:4]
    cases = []
    for cap in (1, draw.integer(60, 120), 10**6):
        steps = []
        for step in range(2):
            of_ranks = [drawn(draw, shapes) for _ in RANKS]
            for gradients in of_ranks:
                gradients[frozen] = gradients[idle] = None
                if step and cap > 1:
                    gradients[freezes] = None
            of_ranks[draw.integer(0, 3)][lost] = None
            steps.append(of_ranks)
        cases.append({"values": drawn(draw, shapes), "steps": steps, "cap": cap, "frozen": [frozen]})
        cases[-1] |= {"freezes": freezes} if cap > 1 else {}
        cases[-1] |= {"tied": [draw.integer(0, 6)], "turned": cap > 1}
    why = "cut the flat tensor up in the order in which it was put together; divide by the ranks once"
    expect_averages(observe, cases, why)
    dtypes = [DTYPES[i % 2] for i in range(7)]
    mixed = [
        [draw.away_from_zero(*shape).abs().to(dtype) for shape, dtype in zip(shapes, dtypes, strict=True)]
        for _ in range(5)
    ]
    case = {"values": mixed[0], "steps": [mixed[1:]], "cap": 10**6}
    expect_averages(observe, [case], "a bucket has the dtype of its gradients", BFLOAT16)
    wide = [drawn(draw, shapes, torch.float64) for _ in range(5)]
    case = {"values": wide[0], "steps": [wide[1:]], "cap": 10**6}
    expect_averages(observe, [case], "float64 gradients are divided and added up in float64", FLOAT64)


def floats(calls: list[dict]) -> list[list]:
    """Dtype and bytes of the calls that send gradients, in their order; others may agree on what is used."""
    return [[call["dtype"], call["bytes"]] for call in calls if call["dtype"] and call["dtype"].is_floating_point]


def expect_calls(case: dict, seen: list, number: int) -> None:
    """One call for each bucket on every rank, in their order, of the dtype that was asked for."""
    trained = [value for i, value in enumerate(case["values"]) if i not in case.get("frozen", ())]
    kinds = [value.dtype for value in trained]
    grouped = buckets([value.nbytes for value in trained], kinds, case["cap"])
    expected = []
    for bucket in grouped:
        dtype = case.get("dtype") or kinds[bucket[0]]
        expected.append([dtype, sum(trained[i].numel() for i in bucket) * dtype.itemsize])
    for rank in RANKS:
        for step in range(len(case["steps"])):
            expect(floats(seen[rank][number][step]["calls"]), f"dtype and bytes of each call on rank {rank}").equals(
                expected,
                "one all-reduce for each bucket that make_buckets makes of the parameters that train",
            )


def test_one_call_for_each_bucket(observe, draw):
    """The calls are one all-reduce for each bucket, in their order, of its bytes; frozen parameters are not sent."""
    shapes = drawn_shapes(draw, 8)
    cases = []
    for name in draw.shuffled(("small", "as large as all of a dtype", "no limit")):
        frozen = [draw.integer(1, 2), draw.integer(5, 6)]
        dtypes = [DTYPES[i // 4] for i in range(8)]
        if name == "no limit":  # a frozen parameter of the other dtype between those that are sent together
            dtypes[frozen[0]], dtypes[frozen[1]] = dtypes[frozen[1]], dtypes[frozen[0]]
        values = [draw.normal(*shape, dtype=dtype) for shape, dtype in zip(shapes, dtypes, strict=True)]
        all_of_a_dtype = max(sum(values[i].nbytes for i in some if i not in frozen) for some in (range(4), range(4, 8)))
        cap = {"small": draw.integer(40, 90), "no limit": 10**6}.get(name, all_of_a_dtype)
        of_ranks = [[draw.away_from_zero(*value.shape).abs().to(value.dtype) for value in values] for _ in RANKS]
        for gradients in of_ranks:
            for index in frozen:
                gradients[index] = None
        of_ranks[draw.integer(0, 3)][next(i for i in range(8) if i not in frozen)] = None
        cases.append({"values": values, "steps": [of_ranks], "cap": cap, "frozen": frozen})
        if name == "no limit":  # both dtypes are sent as one, yet in buckets of their own
            cases.append(cases[-1] | {"dtype": torch.float32})
    seen = expect_averages(observe, cases, "the mean over four ranks", BFLOAT16)
    for number, case in enumerate(cases):
        expect_calls(case, seen, number)


def test_bfloat16_on_the_wire(observe, draw):
    """With dtype=torch.bfloat16 half the bytes are sent, gradients stay float32, and are the mean but for rounding."""
    shapes = drawn_shapes(draw, 6)
    cases = []
    for cap in (draw.integer(60, 120), 10**6):
        steps = [[drawn_positive(draw, shapes) for _ in RANKS] for _ in range(2)]
        cases.append({"values": drawn(draw, shapes), "steps": steps, "cap": cap, "dtype": torch.bfloat16})
    why = "divide, cast to what is sent, all-reduce, copy back into the float32 gradients"
    seen = expect_averages(observe, cases, why, BFLOAT16)
    for number, case in enumerate(cases):
        expect_calls(case, seen, number)  # the cap counts bytes of the parameters, not of what is sent
        for rank in RANKS:
            rounded = seen[rank][number][0]["gradients"][0]
            expect(rounded, f"gradient on rank {rank}").close_to(
                rounded.bfloat16().float(), EXACT, "the sum of bfloat16 numbers is one: was float32 sent beside it?"
            )


def test_float16_wire_overflows_only_if_the_mean_does(observe, draw):
    """With dtype=torch.float16, sums and single gradients beyond 65504 are no overflow if their mean is within it."""
    shapes = drawn_shapes(draw, 3)
    large = [[draw.away_from_zero(*shape, low=36000, high=60000).abs() for shape in shapes] for _ in RANKS]
    one, lost = draw.integer(0, 3), draw.shuffled((math.inf, -math.inf, math.nan))
    single = [[torch.zeros(shape) for shape in shapes] for _ in RANKS]
    single[one] = [draw.away_from_zero(*shape, low=70000, high=240000) for shape in shapes]
    values, rounding = drawn(draw, shapes), Tolerance("float16 rounds what is sent, and each sum", rtol=4 * 2.0**-11)
    cases = [{"values": values, "steps": [step], "cap": 64, "dtype": torch.float16} for step in (large, single)]
    beyond = [[torch.zeros(shape, dtype=torch.float64) for shape in shapes] for _ in RANKS]
    beyond[one] = [draw.away_from_zero(*shape, low=4.0, high=13.0).double() * 1e38 for shape in shapes]
    wide = drawn(draw, shapes, torch.float64)
    cases.append({"values": wide, "steps": [beyond], "cap": 64, "dtype": torch.float32})
    expect_averages(observe, cases, "divide in float32 first, then cast: a cast of 70000 to float16 is inf", rounding)
    spoilt = [drawn_positive(draw, shapes) for _ in RANKS]
    places = [draw.integer(0, math.prod(shape) - 1) for shape in shapes]
    for index, (place, bad) in enumerate(zip(places, lost, strict=True)):
        spoilt[one][index].view(-1)[place] = bad
    for dtype in draw.shuffled((torch.float16, torch.bfloat16, None)):
        case = {"values": values, "steps": [spoilt], "cap": 64} | ({} if dtype is None else {"dtype": dtype})
        why = "an inf or nan of one rank has to reach all of them, and no entry beside it"
        expect_averages(observe, [case], why, BFLOAT16)


def test_bfloat16_gradients_are_summed_in_float32(observe, draw):
    """With dtype=torch.float32, halves are divided and added up in float32, and rounded once; the smallest too."""
    shapes = drawn_shapes(draw, 3)
    cases = []
    for large_on in draw.shuffled(RANKS):
        of_ranks = [[draw.integers(*shape, low=1, high=4).bfloat16() for shape in shapes] for _ in RANKS]
        of_ranks[large_on] = [(256 + 2 * draw.integers(*shape, low=0, high=64)).bfloat16() for shape in shapes]
        values = drawn(draw, shapes, torch.bfloat16)
        cases.append({"values": values, "steps": [of_ranks], "cap": 64, "dtype": torch.float32})
    # The smallest float16 numbers: a quarter of them is none.
    tiny = [[(draw.integers(*shape, low=1, high=32) * 2.0**-24).half() for shape in shapes] for _ in RANKS]
    halves = drawn(draw, shapes, torch.float16)
    cases.append({"values": halves, "steps": [tiny], "cap": 64, "dtype": torch.float32})
    once = Tolerance("rounded to a half once", ulps=0.5)
    seen = expect_averages(observe, cases, "256 + 1 is 256 in bfloat16: cast first, then divide and add up", once)
    for number, case in enumerate(cases):
        expect_calls(case, seen, number)
