"""What counts as equal and close, to the last unit, and that a failure says what came back and what was expected."""

import math

import pytest
import torch
from torch import Tensor

from labkit.judge.expect import Tolerance, Unexpected, expect
from labkit.observe.values import Raised

INF, NAN = math.inf, math.nan
HALF, BRAIN, SINGLE = torch.float16, torch.bfloat16, torch.float32
EXACT = Tolerance("nothing is rounded", atol=0.0)
LOOSE = Tolerance("anything finite", atol=1e300, rtol=1.0)


def failure(check, *args: object, cause: str = "the cause", **kwargs: object) -> Unexpected:
    with pytest.raises(Unexpected) as caught:
        check(*args, why="the cause", **kwargs)
    assert cause in caught.value.why
    return caught.value


def above(value: float, dtype: torch.dtype, steps: int) -> Tensor:
    """(1,) the number that lies `steps` places above `value` >= 0 in `dtype`."""
    bits = torch.int32 if dtype == SINGLE else torch.int16
    return (torch.tensor([value], dtype=dtype).view(bits) + steps).view(dtype)


# Close ------------------------------------------------------------------------------------------------------------

SUBNORMAL = {HALF: 2.0**-24, BRAIN: 2.0**-133, SINGLE: 2.0**-149}


@pytest.mark.parametrize("dtype", [HALF, BRAIN, SINGLE], ids=str)
@pytest.mark.parametrize("place", ["zero", "subnormal", "smallest normal", "below two", "one", "large"])
def test_units_in_the_last_place_end_exactly_at_the_limit(dtype: torch.dtype, place: str) -> None:
    info = torch.finfo(dtype)
    value = {
        "zero": 0.0, "subnormal": 3 * SUBNORMAL[dtype], "smallest normal": info.smallest_normal,
        "below two": 2 - 4 * info.eps, "one": 1.0, "large": 1.5 * 2.0 ** math.floor(math.log2(info.max)),
    }[place]  # fmt: skip
    expected, two = torch.tensor([value], dtype=dtype), Tolerance("two roundings", ulps=2)
    assert above(value, dtype, 1) != expected
    expect(above(value, dtype, 2)).close_to(expected, two, why="")
    expect(-above(value, dtype, 2)).close_to(-expected, two, why="")
    failure(expect(above(value, dtype, 3)).close_to, expected, two)
    failure(expect(-above(value, dtype, 3)).close_to, -expected, two)


def test_units_are_those_of_the_seen_dtype() -> None:
    """A float64 reference of a half result: half's units count."""
    expected, one = torch.tensor([1.0], dtype=torch.float64), Tolerance("one rounding", ulps=1)
    expect(above(1.0, BRAIN, 1)).close_to(expected, one, why="", dtype=BRAIN)
    failure(expect(above(1.0, BRAIN, 1).float()).close_to, expected, one, dtype=SINGLE)


@pytest.mark.parametrize(
    ("tolerance", "off"),
    [
        (Tolerance("absolute", atol=0.25), 0.25),
        (Tolerance("relative", rtol=0.25), 1.0),
        (Tolerance("both", atol=0.25, rtol=0.25), 1.25),
        (Tolerance("with units", atol=0.25, ulps=2**20), 0.75),
        (EXACT, 0.0),
    ],
    ids=lambda value: getattr(value, "because", None),
)
def test_tolerances_add_up_and_end_exactly_at_the_limit(tolerance: Tolerance, off: float) -> None:
    expected = torch.tensor([4.0])
    limit = torch.tensor([4.0 + off])
    expect(limit).close_to(expected, tolerance, why="")
    failure(expect(torch.nextafter(limit, torch.tensor([9.0]))).close_to, expected, tolerance)
    expect(4.0 - off).close_to(4.0, Tolerance("a number has no last place", 0.0, off), why="")
    failure(expect(4.0 - off - 1e-9).close_to, 4.0, Tolerance("the same", 0.0, off))


@pytest.mark.parametrize(("seen", "expected"), [(INF, INF), (-INF, -INF), (NAN, NAN), (0.0, -0.0)])
def test_special_numbers_are_close_to_themselves(seen: float, expected: float) -> None:
    expect(seen).close_to(expected, EXACT, why="")
    expect(torch.tensor([1.0, seen])).close_to(torch.tensor([1.0, expected]), EXACT, why="")


@pytest.mark.parametrize(
    ("seen", "expected"), [(INF, 1.0), (1.0, INF), (-INF, INF), (NAN, 1.0), (1.0, NAN), (NAN, INF), (INF, NAN)]
)
def test_special_numbers_are_close_to_nothing_else(seen: float, expected: float) -> None:
    """However wide the tolerance."""
    failure(expect(seen).close_to, expected, LOOSE)
    failure(expect(torch.tensor([1.0, seen])).close_to, torch.tensor([1.0, expected]), LOOSE)


@pytest.mark.parametrize(
    "seen",
    [torch.ones(2, 1), torch.ones(1), torch.ones(2, dtype=HALF), torch.ones(2, dtype=torch.int64), [1.0, 1.0], 1, None],
    ids=str,
)
def test_another_shape_dtype_or_type_is_not_close(seen: object) -> None:
    failure(expect(seen).close_to, torch.ones(2), LOOSE)


@pytest.mark.parametrize(
    ("seen", "cause"),
    [(True, "in the other order"), ("1.0", "the cause"), (None, "the cause"), ([1.0], "the cause")],
)
def test_only_a_number_is_close_to_a_number(seen: object, cause: str) -> None:
    failure(expect(seen).close_to, 1.0, LOOSE, cause=cause)
    failure(expect(seen).less_than, 2.0, cause=cause)


def test_a_missing_verdict_is_said() -> None:
    failure(expect(None, "returned").equals, True, cause="does every path end in a return")
    failure(expect([None], "returned").equals, [False], cause="does every path end in a return")


def test_a_tensor_is_no_number_and_the_cause_says_so() -> None:
    for found in (
        failure(expect(torch.tensor(1.0), "loss").close_to, 1.0, LOOSE, cause=".item() makes one"),
        failure(expect(torch.tensor(1.0), "loss").equals, 1.0, cause=".item() makes one"),
    ):
        assert found.got == "loss = a tensor, float32, of the one number 1"


def test_an_exception_in_the_place_of_a_value_brings_its_own_cause() -> None:
    raised = Raised("NameError", "name 'scalar' is not defined", "line 3: scalar.step()")
    for found in (
        failure(expect(raised, "loss").close_to, 1.0, LOOSE, cause="not set there"),
        failure(expect(raised, "loss").close_to, torch.ones(2), LOOSE, cause="not set there"),
    ):
        assert found.got == "loss = NameError: name 'scalar' is not defined, line 3: scalar.step()"


def test_an_empty_tensor_is_close_to_an_empty_one() -> None:
    expect(torch.empty(0, 3)).close_to(torch.empty(0, 3), EXACT, why="")
    failure(expect(torch.empty(0, 3)).close_to, torch.empty(3, 0), EXACT)


def test_less_than_is_strict() -> None:
    expect(1).less_than(1.5, why="")
    for seen in (1.5, 2, NAN, INF):
        failure(expect(seen).less_than, 1.5)
    expect(2).more_than(1.5, why="")
    for seen in (1.5, 1, NAN, -INF):
        failure(expect(seen).more_than, 1.5)


def test_only_a_finite_number_is_less_or_more() -> None:
    """A ratio of two answers is 0 where one of them is inf."""
    failure(expect(-INF).less_than, 0.0)
    failure(expect(INF).more_than, 0.0)
    failure(expect(False).less_than, 1.0, cause="in the other order")
    failure(expect(True).more_than, 0.0, cause="in the other order")


# Equal ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "value",
    [None, True, 3, 0.5, NAN, "text", HALF, [1, [2.0, NAN]], {"a": {"b": [torch.tensor([NAN, 1.0])]}}, torch.empty(0)],
    ids=str,
)
def test_values_equal_themselves(value: object) -> None:
    expect(value).equals(value, why="")


@pytest.mark.parametrize(
    ("seen", "expected", "got", "wanted"),
    [
        (1, True, "x = 1", "x = True"),
        (1, 1.0, "x = 1 (int)", "x = 1 (float)"),
        (0.1 + 0.2, 0.3, "x = 0.30000000000000004", "x = 0.29999999999999999"),
        ("a", "b", "x = 'a'", "x = 'b'"),
        (HALF, BRAIN, "x = float16", "x = bfloat16"),
        ([1, 2, 3], [1, 2, 4], "x[2] = 3", "x[2] = 4"),
        ([1, 2], [1, 2, 3], "x = [1, 2]", "x = [1, 2, 3]"),
        ({"a": 1}, {"a": 1, "b": 2}, "x = ['a']", "x = ['a', 'b']"),
        ({"a": [0, {"b": True}]}, {"a": [0, {"b": False}]}, "x['a'][1]['b'] = True", "x['a'][1]['b'] = False"),
        ([torch.tensor([[1, 2], [3, 4]])], [torch.tensor([[1, 2], [5, 4]])], "x[0][1, 0] = 3", "x[0][1, 0] = 5"),
        (torch.tensor([2**53 + 1]), torch.tensor([2**53]), "x[0] = 9007199254740993", "x[0] = 9007199254740992"),
        (torch.tensor([1.0, NAN]), torch.tensor([1.0, INF]), "x[1] = nan", "x[1] = inf"),
        (torch.ones(1), torch.ones(1, dtype=HALF), "x = float32 (1,) [1]", "x = float16 (1,) [1]"),
        (torch.ones(1), torch.ones(()), "x = float32 (1,) [1]", "x = a tensor, float32, of the one number 1"),
    ],
    ids=str,
)  # fmt: skip
def test_failure_names_the_place_that_differs(seen: object, expected: object, got: str, wanted: str) -> None:
    found = failure(expect(seen, "x").equals, expected)
    assert (found.got, found.expected) == (got, wanted)


# The bits ---------------------------------------------------------------------------------------------------------

OTHER_NAN = torch.tensor([0x7FC00001], dtype=torch.int32).view(SINGLE)


@pytest.mark.parametrize(
    ("seen", "expected", "got"),
    [
        (-0.0, 0.0, "x = -0"),
        (torch.tensor([1.0, -0.0]), torch.tensor([1.0, 0.0]), "x[1] = -0"),
        ([{"a": -0.0}], [{"a": 0.0}], "x[0]['a'] = -0"),
        (torch.tensor([-0.0], dtype=torch.float8_e5m2), torch.tensor([0.0], dtype=torch.float8_e5m2), "x[0] = -0"),
        (OTHER_NAN, torch.tensor([NAN]), "x[0] = nan (bits 7ff8000020000000)"),
    ],
    ids=str,
)  # fmt: skip
def test_bits_are_compared_on_request(seen: object, expected: object, got: str) -> None:
    expect(seen, "x").equals(expected, why="")
    expect(expected).equals(expected, why="", bits=True)
    found = failure(expect(seen, "x").equals, expected, bits=True)
    assert found.got == got and found.expected != got


# Every dtype, and everything that no answer would be ----------------------------------------------------------------

DTYPES = [
    *(HALF, BRAIN, SINGLE, torch.float64, torch.complex32, torch.complex64, torch.complex128, torch.bool),
    *(torch.uint8, torch.int8, torch.int16, torch.int32, torch.int64, torch.uint16, torch.uint32, torch.uint64),
    *(getattr(torch, name) for name in dir(torch) if name.startswith("float8_")),
]  # fmt: skip
JUNK = [
    None, True, NAN, INF, -INF, -1, 2**63, -(2**63), 2**5000, "", "1.0", "long " * 9999, [], {}, [[]], [None], [[1.0]],
    {"a": 1.0}, {"b": {"c": []}}, HALF, Raised("ValueError", "no", "line 3: x"), torch.empty(0), torch.empty(0, 3),
    torch.tensor(NAN), torch.tensor([INF, 0.0]), torch.zeros(2, 2), torch.zeros(3, dtype=torch.complex64),
    torch.zeros(1, dtype=torch.uint8).view(torch.float4_e2m1fn_x2), torch.zeros(2).conj(), torch.zeros(2, 3).T,
    torch.tensor([2**64 - 1], dtype=torch.uint64), [[[[[[[[1.0] * 9] * 9] * 9]]]]],
    *(torch.zeros(2).to(dtype) for dtype in DTYPES),
]  # fmt: skip


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
def test_every_dtype_is_compared(dtype: torch.dtype) -> None:
    one, other = torch.tensor([1, 0, 1]).to(dtype), torch.tensor([1, 1, 1]).to(dtype)
    for bits in (False, True):
        expect(one).equals(one.clone(), why="", bits=bits)
        assert failure(expect(one, "x").equals, other, bits=bits).got.startswith("x[1] = ")
    expect(one).close_to(one, EXACT, why="")
    assert "(1 of 3 are off)" in failure(expect(one, "x").close_to, other, EXACT).got
    failure(expect(one).close_to, other, Tolerance("one unit", ulps=1) if dtype.is_complex else EXACT)
    assert failure(expect(one, "x").equals, None).got.startswith("x = ")


@pytest.mark.parametrize("junk", JUNK, ids=lambda junk: str(junk)[:30])
def test_junk_is_unexpected_and_nothing_else(junk: object) -> None:
    """No other exception, and a failure that stays short."""
    wanted = (
        lambda one: expect(one).equals(3.5, why=""),
        lambda one: expect(one).equals([True, 1.5], why=""),
        lambda one: expect(one).equals({"a": torch.ones(7)}, why="", bits=True),
        lambda one: expect(one).close_to(2.5, EXACT, why=""),
        lambda one: expect(one).close_to(torch.ones(7, dtype=HALF), Tolerance("one", ulps=1), why=""),
        lambda one: expect(one).less_than(-INF, why=""),
        lambda one: expect(one).more_than(INF, why=""),
    )
    for check in wanted:
        with pytest.raises(Unexpected) as caught:
            check(junk)
        assert len(caught.value.got) < 500


def test_numbers_that_float64_cannot_hold_are_told_apart() -> None:
    failure(expect(torch.tensor([2**63 + 1], dtype=torch.uint64)).equals, torch.tensor([2**63], dtype=torch.uint64))
    failure(expect(2**5000).close_to, 1.0, LOOSE)


# What a failure says ----------------------------------------------------------------------------------------------


def test_failure_shows_the_worst_element_and_where_the_tolerance_comes_from() -> None:
    seen, expected = torch.zeros(3, 4), torch.zeros(3, 4)
    seen[1, 2], seen[2, 0] = 5.0, 1.0
    found = failure(expect(seen, "gradient").close_to, expected, Tolerance("two roundings", atol=0.1, ulps=2))
    assert found.got == "gradient[1, 2] = 5, float32 (2 of 12 are off)"
    assert found.expected == "0, within 2 units in the last place and an absolute 0.1 (two roundings)"
    assert str(found) == f"got {found.got}, expected {found.expected}: the cause"


def test_place_in_a_value_never_looks_like_a_part_of_its_name() -> None:
    found = failure(expect(torch.zeros(1, 2), "inner Linear for float16").close_to, torch.ones(1, 2), EXACT)
    assert found.got == "inner Linear for float16, at [0, 0] = 0, float32 (2 of 2 are off)"
    assert failure(expect([1, 2], "buffer, scaler off").equals, [1, 3]).got == "buffer, scaler off, at [1] = 2"


def test_two_different_numbers_never_look_alike() -> None:
    """A difference in the last place of float32 shows, at the price of more digits."""
    found = failure(expect(above(1.0, SINGLE, 1)).close_to, torch.tensor([1.0]), EXACT)
    assert "1.00000012," in found.got
    found = failure(expect(1.0 + 2.0**-52).close_to, 1.0, EXACT)
    assert found.got == "it = 1.0000000000000002"


@pytest.mark.parametrize(
    "seen",
    [torch.arange(10_000.0), list(range(10_000)), "long " * 10_000, {"key": torch.rand(300, 300)}, [[[0.1] * 99] * 99]],
    ids=["tensor", "list", "text", "dict", "nested"],
)
def test_failure_stays_short(seen: object) -> None:
    cause = ".item()" if isinstance(seen, Tensor) else "the cause"
    checks = (expect(seen, "it").equals, 3), (expect(seen, "it").close_to, 3.0, EXACT)
    for found in (failure(*check, cause=cause) for check in checks):
        assert len(found.got) < 400
        assert len(found.expected) < 100
