"""Values cross a process unchanged, bit for bit, and nothing else crosses."""

import json
import math
from collections import OrderedDict

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from labkit.observe.values import DTYPES, LIMITS, NotAValue, Raised, decode, encode, parse

quick = settings(deadline=None, derandomize=True, max_examples=50, database=None)


def crossed(value: object) -> object:
    """`value` after the journey through JSON text."""
    return decode(json.loads(json.dumps(encode(value))))


def raw(tensor: Tensor) -> list[int]:
    return tensor.detach().contiguous().reshape(-1).view(torch.uint8).tolist()


def assert_same(seen: object, sent: object) -> None:
    """Equal types and values all the way down; a tuple has become a list."""
    if isinstance(sent, Tensor):
        assert (type(seen), seen.dtype, seen.shape) == (Tensor, sent.dtype, sent.shape)
        assert raw(seen) == raw(sent)
    elif isinstance(sent, list | tuple):
        assert type(seen) is list
        assert len(seen) == len(sent)
        for one, other in zip(seen, sent, strict=True):
            assert_same(one, other)
    elif isinstance(sent, dict):
        assert type(seen) is dict
        assert list(seen) == list(sent)
        for key, item in sent.items():
            assert_same(seen[key], item)
    else:
        assert type(seen) is type(sent)
        assert repr(seen) == repr(sent)  # tells -0.0 from 0.0 and finds nan equal to nan


# What crosses -----------------------------------------------------------------------------------------------------


@st.composite
def tensors(draw: st.DrawFn) -> Tensor:
    """Any bits in any dtype: nan payloads, -0.0, infinities and subnormals among them."""
    dtype = draw(st.sampled_from(list(DTYPES.values())))
    shape = draw(st.lists(st.integers(0, 3), max_size=3))
    size = math.prod(shape) * dtype.itemsize
    if size == 0:
        return torch.empty(shape, dtype=dtype)
    data = draw(st.binary(min_size=size, max_size=size))
    if dtype == torch.bool:
        data = bytes(byte & 1 for byte in data)
    return torch.frombuffer(bytearray(data), dtype=torch.uint8).view(dtype).reshape(shape)


@quick
@given(tensors())
def test_tensors_cross_bit_for_bit(tensor: Tensor) -> None:
    assert_same(crossed(tensor), tensor)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32, torch.float64], ids=str)
def test_special_numbers_cross_bit_for_bit(dtype: torch.dtype) -> None:
    tiny = torch.finfo(dtype).smallest_normal
    special = torch.tensor([0.0, -0.0, math.inf, -math.inf, math.nan, tiny, tiny / 4, -tiny / 2], dtype=dtype)
    assert special[6] != 0  # a subnormal, not flushed
    assert_same(crossed(special), special)
    assert_same(crossed(special[4]), special[4])


@pytest.mark.parametrize(
    "view",
    [
        torch.arange(12.0).reshape(3, 4).T,
        torch.arange(12.0)[::5],
        torch.arange(12.0).reshape(6, 2)[:1, 1],  # one element with a stride of two
        torch.ones(1).expand(5),
        torch.arange(4.0)[4:],
        torch.imag(torch.tensor([1 + 2j, 3 - 4j]).conj()),  # a negation that is not yet carried out
        torch.tensor([1 + 2j, 3 - 4j]).conj(),
        torch.arange(3.0, requires_grad=True) * 2,
        nn.Parameter(torch.arange(3.0)),
    ],
    ids=[
        "transposed",
        "strided",
        "one-of-two",
        "expanded",
        "no-rows",
        "negated",
        "conjugated",
        "with-graph",
        "parameter",
    ],
)
def test_views_cross_as_what_they_show(view: Tensor) -> None:
    seen = crossed(view)
    assert torch.equal(seen, view)
    assert (type(seen), seen.requires_grad, seen.grad_fn) == (Tensor, False, None)


scalars = (
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**63)
    | st.floats()
    | st.text(max_size=5)
    | st.sampled_from(list(DTYPES.values()))
)
containers = st.recursive(
    scalars | tensors(),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.lists(inner, max_size=3).map(tuple)
        | st.dictionaries(st.text("ab$", max_size=5) | st.sampled_from(["$", "items", "bytes"]), inner, max_size=3)
    ),
    max_leaves=8,
)


@quick
@given(containers)
def test_nested_values_cross_unchanged(value: object) -> None:
    assert_same(crossed(value), value)


def test_dict_that_looks_like_an_encoded_tensor_stays_a_dict() -> None:
    forged = {"$": "tensor", "dtype": "float32", "shape": [1], "bytes": "AAAAAA=="}
    assert crossed(forged) == forged


def test_exceptions_cross_as_texts() -> None:
    raised = Raised("ValueError", "no such dtype", "line 3: raise")
    assert crossed([raised]) == [raised]


def test_what_arrives_shares_no_memory_with_what_was_sent() -> None:
    sent = torch.zeros(3)
    seen = decode(encode(sent))
    sent += 1
    assert seen.tolist() == [0, 0, 0]


# What does not cross ----------------------------------------------------------------------------------------------


class AlwaysEqual(Tensor):
    def __eq__(self, other: object) -> bool:
        return True

    __hash__ = Tensor.__hash__


class Text(str):
    """A string that could answer anything to a comparison."""


def nested(depth: int) -> list:
    value: list = []
    for _ in range(depth):
        value = [value]
    return value


CIRCLE: list = []
CIRCLE.append(CIRCLE)


@pytest.mark.parametrize(
    "value",
    [
        object(), len, {1, 2}, b"bytes", 1j, 2**65, Text("text"), nn.Linear(1, 1), torch.qint8,
        OrderedDict(a=1), {1: "a key that is no string"}, {Text("key"): 1}, Raised("ValueError", Text("message")),
        torch.ones(2).as_subclass(AlwaysEqual), torch.ones(2).to_sparse(), torch.ones(1, device="meta"),
        torch.ones(1).expand(LIMITS.tensors), nested(LIMITS.depth + 1), CIRCLE,
        "a" * (LIMITS.text + 1), ["a" * (LIMITS.text // 2 + 1)] * 2, {"a" * (LIMITS.text + 1): 1},
        [0] * (LIMITS.items + 1), [[0] * (LIMITS.items // 2)] * 2, [torch.ones(LIMITS.tensors // 8)] * 3,
    ],
    ids=lambda value: type(value).__name__,
)  # fmt: skip
def test_anything_else_is_refused(value: object) -> None:
    with pytest.raises(NotAValue):
        encode(value)
    with pytest.raises(NotAValue):
        encode({"deep": [value]})


def test_tensor_inside_a_transform_is_refused() -> None:
    """Under torch.func a tensor wraps another one and has no bytes of its own."""

    def loss(x: Tensor) -> Tensor:
        with pytest.raises(NotAValue):
            encode(x)
        return x.sum()

    torch.func.grad(loss)(torch.ones(2))


def test_deepest_value_that_crosses() -> None:
    assert crossed(nested(LIMITS.depth)) == nested(LIMITS.depth)


# Data that nobody encoded -----------------------------------------------------------------------------------------

RIGHT = encode(torch.ones(2))


@pytest.mark.parametrize(
    "wrong",
    [
        {"dtype": "float128"}, {"dtype": ["float32"]},
        {"shape": [3]}, {"shape": [-1, -2]}, {"shape": [2.0]}, {"shape": [True, 2]}, {"shape": None}, {"shape": {}},
        {"shape": [0, 2**70], "bytes": ""}, {"shape": [2**40, 2**40]},
        {"bytes": 8}, {"bytes": "AAAA"}, {"bytes": "!" + RIGHT["bytes"]}, {"bytes": "\u00e4"},
        {"dtype": "bool", "shape": [3], "bytes": "AAEC"},  # 0, 1, 2
        {"$": "dict"}, {"$": "pickle"}, {"$": ["tensor"]},
    ],
    ids=str,
)  # fmt: skip
def test_damaged_tensor_is_refused(wrong: dict) -> None:
    with pytest.raises(NotAValue):
        decode({**RIGHT, **wrong})


leaves = (
    st.none() | st.booleans() | st.integers(-(2**80), 2**80) | st.floats() | st.sampled_from([*DTYPES, "AAAA", "dict"])
)
keys = st.sampled_from(["$", "items", "name", "type", "message", "where", "dtype", "shape", "bytes"])
kinds = st.sampled_from(["dict", "dtype", "raised", "tensor", "other"])
json_data = st.recursive(
    leaves,
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(keys, inner, max_size=4)
        | st.builds(lambda kind, rest: rest | {"$": kind}, kinds, st.dictionaries(keys, inner, max_size=4))
    ),
    max_leaves=10,
)


@settings(quick, max_examples=150)
@given(json_data)
def test_any_json_is_a_value_or_refused(data: object) -> None:
    try:
        value = decode(data)
    except NotAValue:
        return
    assert_same(crossed(value), value)


def test_json_that_nests_without_end_is_refused() -> None:
    with pytest.raises(NotAValue):
        decode(json.loads("[" * 500 + "]" * 500))


@pytest.mark.parametrize(
    "text",
    [
        b"", b"\xff", b"{", b"1 2", b"9" * 10_000, b"[" * 200_000, b'{"a":' * 200_000,
        b"[" + b"0," * 3_000_000 + b"0]", b'"' + b"a" * 100_000_000 + b'"', b"[" + b"{}," * 3_000_000 + b"0]",
    ],
    ids=lambda text: f"{text[:6]!r}, {len(text)} bytes",
)  # fmt: skip
def test_a_reply_that_is_no_json_or_too_much_of_it_is_refused(text: bytes) -> None:
    with pytest.raises(NotAValue):
        decode(parse(text))


@pytest.mark.parametrize("shape", [(LIMITS.entries + 1,), (LIMITS.entries + 1, 0), (2**10, 0, 2**11)])
def test_a_tensor_of_too_many_entries_is_no_value_even_if_it_is_empty(shape: tuple[int, ...]) -> None:
    """A test that iterates over it would make a tensor of each row."""
    with pytest.raises(NotAValue, match=f"more than {LIMITS.entries} entries"):
        encode(torch.zeros(shape, dtype=torch.int8))
    with pytest.raises(NotAValue, match=f"more than {LIMITS.entries} entries"):
        decode({"$": "tensor", "dtype": "int8", "shape": list(shape), "bytes": ""})


def test_the_largest_values_of_a_kind_fit_in_a_reply() -> None:
    for value in (
        [torch.ones(LIMITS.entries)] * (LIMITS.tensors // LIMITS.entries // 4),
        "\0" * LIMITS.text,
        [True] * (LIMITS.items - 1),
    ):
        assert_same(decode(parse(json.dumps(encode(value)).encode())), value)
