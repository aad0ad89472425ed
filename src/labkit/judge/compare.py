"""How two observed values differ, and how a value is shown: without an exception, whatever came back."""

import math
import struct
from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor

from labkit.observe.values import Raised

SHOWN = 6  # items of a list, dict or tensor that a failure shows
DEPTH = 3  # lists in lists that are shown
TEXT = 100  # characters of a text that are shown, more of an exception's message
MESSAGE = 1000

Difference = tuple[str, Any, Any]  # the path to the first place where two values differ, and both values there


def show(value: object, depth: int = 0) -> str:
    """`value` in one short line; a tensor with dtype and shape."""
    if isinstance(value, Tensor):
        return _show_tensor(value)
    if isinstance(value, torch.dtype):
        return name(value)
    if isinstance(value, Raised):
        return _cut(str(value), MESSAGE)
    if isinstance(value, list | dict):
        return _show_items(value, depth)
    if isinstance(value, float):
        return f"{value:.6g}"
    if isinstance(value, str):
        return _cut(repr(value[: TEXT + 1]), TEXT)
    if isinstance(value, int) and value.bit_length() > 64:
        return f"an int of {value.bit_length()} bits"
    return _cut(repr(value), TEXT)


def _show_tensor(value: Tensor) -> str:
    if not value.dim():
        return f"a tensor, {name(value.dtype)}, of the one number {_number(value)}"
    items = ", ".join(_number(item) for item in value.reshape(-1)[:SHOWN])
    more = ", ..." if value.numel() > SHOWN else ""
    return f"{name(value.dtype)} {tuple(value.shape)} [{items}{more}]"


def _show_items(value: list | dict, depth: int) -> str:
    left, right = "{}" if isinstance(value, dict) else "[]"
    if depth >= DEPTH:
        return f"{left}...{right}"
    first = list(value.items() if isinstance(value, dict) else enumerate(value))[:SHOWN]
    items = [f"{show(key)}: {show(item, depth + 1)}" if left == "{" else show(item, depth + 1) for key, item in first]
    return f"{left}{', '.join(items)}{', ...' if len(value) > SHOWN else ''}{right}"


def _number(item: Tensor) -> str:
    """The one number of a tensor."""
    value = plain(item)
    return f"{value:.6g}" if isinstance(value, float | complex) else str(value)


def _cut(text: str, length: int) -> str:
    return text if len(text) <= length else text[: length - 3] + "..."


def name(dtype: torch.dtype) -> str:
    return str(dtype).removeprefix("torch.")


def kind(dtype: torch.dtype, shape: torch.Size) -> str:
    return f"{name(dtype)}, shape {tuple(shape)}" if shape else f"{name(dtype)}, a single number"


def apart(one: float | complex, other: float | complex) -> tuple[str, str]:
    """Both numbers with as few digits as tell them apart, 7 at least; two nans by their bits."""
    texts = ((f"{one:.{digits}g}", f"{other:.{digits}g}") for digits in (7, 9, 17))
    pair = next((pair for pair in texts if pair[0] != pair[1]), (repr(one), repr(other)))
    if pair[0] == pair[1] and type(one) is type(other) is float:
        return f"{pair[0]} (bits {_bits(one).hex()})", f"{pair[1]} (bits {_bits(other).hex()})"
    return pair


def wide(values: Tensor) -> Tensor:
    """The values, flat, in float64 or complex128, which hold every narrower float exactly."""
    try:
        return values.reshape(-1).to(torch.complex128 if values.dtype.is_complex else torch.float64)
    except (RuntimeError, NotImplementedError):  # float4: two numbers in a byte, which torch cannot take apart
        return values.reshape(-1).view(torch.uint8).to(torch.float64)


def plain(item: Tensor) -> bool | int | float | complex:
    """The Python number in a tensor of one; the byte where torch cannot tell the number."""
    try:
        return item.item()
    except (RuntimeError, NotImplementedError):
        return int(item.reshape(-1).view(torch.uint8)[0])


def error(seen: Tensor, expected: Tensor) -> Tensor:
    """float64 |seen - expected|; 0 where both are nan or the same infinity, inf where only one of them is."""
    same = (seen == expected) | (seen.isnan() & expected.isnan())
    return torch.where(same, 0.0, (seen - expected).abs().nan_to_num(nan=math.inf, posinf=math.inf))


def index(flat: int, shape: torch.Size) -> str:
    found = [int(i) for i in torch.unravel_index(torch.tensor(flat), shape)]
    return f"[{', '.join(map(str, found))}]" if found else ""


def difference(seen: Any, expected: Any, bits: bool = False) -> Difference | None:
    """The first place where two values differ; None if they are equal.

    nan equals nan, and 0.0 equals -0.0; not where `bits` are compared.
    """
    if type(seen) is not type(expected):
        return "", seen, expected
    if isinstance(expected, dict):
        if seen.keys() != expected.keys():
            return "", sorted(seen), sorted(expected)
        return _first(((f"[{key!r}]", seen[key], expected[key]) for key in expected), bits)
    if isinstance(expected, list):
        if len(seen) != len(expected):
            return "", seen, expected
        return _first(((f"[{i}]", *pair) for i, pair in enumerate(zip(seen, expected, strict=True))), bits)
    if isinstance(expected, Tensor):
        return _tensor_difference(seen, expected, bits)
    if bits and isinstance(expected, float):
        return None if _bits(seen) == _bits(expected) else ("", seen, expected)
    return None if seen == expected or (seen != seen and expected != expected) else ("", seen, expected)


def _first(pairs: Iterator[Difference], bits: bool) -> Difference | None:
    for path, one, other in pairs:
        found = difference(one, other, bits)
        if found is not None:
            return path + found[0], found[1], found[2]
    return None


def _tensor_difference(seen: Tensor, expected: Tensor, bits: bool) -> Difference | None:
    if seen.dtype != expected.dtype or seen.shape != expected.shape:
        return "", seen, expected
    if not seen.numel():
        return None
    differs = (_tensor_bits(seen) != _tensor_bits(expected)).any(dim=1)
    if not bits and (seen.dtype.is_floating_point or seen.dtype.is_complex):
        one, other = wide(seen), wide(expected)
        differs &= (one != other) & ~(one.isnan() & other.isnan())
    if not differs.any():
        return None
    first = int(differs.int().argmax())
    return index(first, seen.shape), plain(seen.reshape(-1)[first]), plain(expected.reshape(-1)[first])


def _tensor_bits(values: Tensor) -> Tensor:
    """(number of values, bytes of one)"""
    flat = values.detach().resolve_conj().resolve_neg().contiguous().reshape(-1)
    return flat.view(torch.uint8).reshape(values.numel(), -1)


def _bits(number: float) -> bytes:
    return struct.pack(">d", number)
