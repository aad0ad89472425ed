"""What a graded test says of an observed value, and a failure that teaches when it is not so.

Every comparison carries `why`, the likely cause, and every tolerance carries `because`, where its number comes from.
"""

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from labkit.judge.causes import cause
from labkit.observe.values import Raised

SHOWN = 6  # items of a list or tensor that a failure shows


@dataclass(frozen=True)
class Tolerance:
    """|seen - expected| <= atol + rtol * |expected|; or `ulps` units in the last place of the seen dtype."""

    because: str
    rtol: float = 0.0
    atol: float = 0.0
    ulps: float = 0.0

    def allowed(self, expected: Tensor, dtype: torch.dtype) -> Tensor:
        """float64, the largest difference allowed at each element of `expected` (float64)."""
        size = expected.abs()
        allowed = self.atol + self.rtol * size
        if self.ulps and dtype.is_floating_point:
            info = torch.finfo(dtype)
            exponent = torch.floor(torch.log2(size.clamp(min=info.smallest_normal, max=info.max)))
            allowed = allowed + self.ulps * info.eps * torch.exp2(exponent)
        return allowed

    def __str__(self) -> str:
        parts = ((f"{self.ulps:g} units in the last place", self.ulps),
                 (f"a relative {self.rtol:g}", self.rtol), (f"an absolute {self.atol:g}", self.atol))  # fmt: skip
        limits = " and ".join(text for text, used in parts if used)
        return f"{'within ' + limits if limits else 'exactly'} ({self.because})"


class Unexpected(AssertionError):
    """An observed value was not as expected: `got` and `expected` as text, `why` the likely cause."""

    def __init__(self, got: str, expected: str, why: str) -> None:
        super().__init__(f"got {got}, expected {expected}: {why}")
        self.got, self.expected, self.why = got, expected, why


def show(value: object) -> str:
    """`value` in one short line; a tensor with dtype and shape."""
    if isinstance(value, Tensor) and not value.dim():
        return f"a tensor, {_name(value.dtype)}, of the one number {value.double().item():.6g}"
    if isinstance(value, Tensor):
        items = ", ".join(f"{item:.6g}" for item in value.double().reshape(-1)[:SHOWN].tolist())
        more = ", ..." if value.numel() > SHOWN else ""
        return f"{_name(value.dtype)} {tuple(value.shape)} [{items}{more}]"
    if isinstance(value, torch.dtype):
        return _name(value)
    if isinstance(value, Raised):
        return str(value)
    if isinstance(value, list):
        items = ", ".join(show(item) for item in value[:SHOWN])
        return f"[{items}{', ...' if len(value) > SHOWN else ''}]"
    if isinstance(value, float):
        return f"{value:.6g}"
    text = repr(value)
    return text if len(text) <= 100 else text[:97] + "..."


class Expectation:
    """What is expected of one observed value; `what` names it in a failure."""

    def __init__(self, seen: object, what: str) -> None:
        self.seen, self.what = seen, what

    def equals(self, expected: object, why: str) -> None:
        """The same type and value; lists, dicts and tensors are compared item by item (nan equals nan)."""
        path = _difference(self.seen, expected)
        if path is not None:
            where, seen, wanted = path
            texts = _apart(seen, wanted) if type(seen) is type(wanted) is float else (show(seen), show(wanted))
            if texts[0] == texts[1]:  # 1 and 1.0
                texts = (f"{texts[0]} ({type(seen).__name__})", f"{texts[1]} ({type(wanted).__name__})")
            why = _cause_of_kind(seen, wanted, why)
            self._fail(f"{self.what}{where} = {texts[0]}", f"{self.what}{where} = {texts[1]}", why)

    def close_to(
        self, expected: Tensor | float, tolerance: Tolerance, why: str, dtype: torch.dtype | None = None
    ) -> None:
        """A number, or a tensor of the expected shape and of `dtype` (default: the expected one's), within `tolerance`.

        inf is only close to inf of the same sign, nan only to nan.
        """
        if not isinstance(expected, Tensor):
            return self._close_number(expected, tolerance, why)
        dtype = dtype or expected.dtype
        wanted = _kind(dtype, expected.shape)
        if not isinstance(self.seen, Tensor):
            why = _cause_of_kind(self.seen, expected, why)
            self._fail(f"{self.what} = {show(self.seen)}", f"a tensor, {wanted}", why)
        if self.seen.dtype != dtype or self.seen.shape != expected.shape:
            self._fail(f"{self.what}: {_kind(self.seen.dtype, self.seen.shape)}", wanted, why)
        seen, expected = self.seen.double().reshape(-1), expected.double().reshape(-1)
        error = _error(seen, expected)
        excess = error - tolerance.allowed(expected, dtype).nan_to_num(nan=0.0, posinf=0.0)
        if excess.numel() and float(excess.max()) > 0:
            worst = int(excess.argmax())
            count = int((excess > 0).sum())
            index = _index(worst, self.seen.shape)
            of = f" ({count} of {error.numel()} are off)" if error.numel() > 1 else ""
            got, wanted = _apart(float(seen[worst]), float(expected[worst]))
            self._fail(f"{self.what}{index} = {got}, {_name(dtype)}{of}", f"{wanted}, {tolerance}", why)
        return None

    def _close_number(self, expected: float, tolerance: Tolerance, why: str) -> None:
        if type(self.seen) not in (int, float):
            why = _cause_of_kind(self.seen, expected, why)
            self._fail(f"{self.what} = {show(self.seen)}", f"a float, {expected:.7g}", why)
        seen, wanted = (torch.tensor([number], dtype=torch.float64) for number in (self.seen, expected))
        if bool(_error(seen, wanted) > tolerance.allowed(wanted, torch.float64).nan_to_num(nan=0.0, posinf=0.0)):
            got, number = _apart(float(self.seen), float(expected))
            self._fail(f"{self.what} = {got}", f"{number}, {tolerance}", why)

    def less_than(self, limit: float, why: str) -> None:
        """A number below `limit`."""
        if type(self.seen) not in (int, float) or not self.seen < limit:
            self._fail(f"{self.what} = {show(self.seen)}", f"less than {limit:.6g}", why)

    def more_than(self, limit: float, why: str) -> None:
        """A number above `limit`."""
        if type(self.seen) not in (int, float) or not self.seen > limit:
            self._fail(f"{self.what} = {show(self.seen)}", f"more than {limit:.6g}", why)

    def _fail(self, got: str, expected: str, why: str) -> None:
        raise Unexpected(got, expected, why)


def _cause_of_kind(seen: object, wanted: object, why: str) -> str:
    """The cause where a value of another kind came back, or an exception; else `why`."""
    if isinstance(seen, Raised):
        return cause(seen)
    if isinstance(seen, Tensor) and type(wanted) in (bool, int, float):
        return "a tensor came back where a Python number is asked for: .item() makes one"
    if type(seen) is bool and type(wanted) is float:
        return "True or False came back where a number is asked for: are the two in the other order?"
    if seen is None and type(wanted) is bool:
        return "None came back where True or False is asked for: does every path end in a return?"
    return why


def expect(seen: object, what: str = "it") -> Expectation:
    return Expectation(seen, what)


def _kind(dtype: torch.dtype, shape: torch.Size) -> str:
    return f"{_name(dtype)}, shape {tuple(shape)}" if shape else f"{_name(dtype)}, a single number"


def _name(dtype: torch.dtype) -> str:
    return str(dtype).removeprefix("torch.")


def _apart(one: float, other: float) -> tuple[str, str]:
    """Both numbers with as few digits as tell them apart, 7 at least."""
    texts = ((f"{one:.{digits}g}", f"{other:.{digits}g}") for digits in (7, 9, 17))
    return next((pair for pair in texts if pair[0] != pair[1]), (repr(one), repr(other)))


def _error(seen: Tensor, expected: Tensor) -> Tensor:
    """float64 |seen - expected|; 0 where both are nan or the same infinity, inf where only one of them is."""
    same = (seen == expected) | (seen.isnan() & expected.isnan())
    return torch.where(same, 0.0, (seen - expected).abs().nan_to_num(nan=math.inf, posinf=math.inf))


def _index(flat: int, shape: torch.Size) -> str:
    index = [int(i) for i in torch.unravel_index(torch.tensor(flat), shape)]
    return f"[{', '.join(map(str, index))}]" if index else ""


def _difference(seen: object, expected: object) -> tuple[str, object, object] | None:
    """The first place where two values differ: its path and both values there; None if they are equal."""
    if type(seen) is not type(expected):
        return "", seen, expected
    if isinstance(expected, dict):
        if seen.keys() != expected.keys():
            return "", sorted(seen), sorted(expected)
        pairs = ((f"[{key!r}]", seen[key], expected[key]) for key in expected)
    elif isinstance(expected, list):
        if len(seen) != len(expected):
            return "", seen, expected
        pairs = ((f"[{i}]", *pair) for i, pair in enumerate(zip(seen, expected, strict=True)))
    elif isinstance(expected, Tensor):
        if seen.dtype != expected.dtype or seen.shape != expected.shape:
            return "", seen, expected
        differs = ((seen != expected) & ~((seen != seen) & (expected != expected))).reshape(-1)
        if not differs.any():
            return None
        first = int(differs.int().argmax())
        return _index(first, seen.shape), seen.reshape(-1)[first].item(), expected.reshape(-1)[first].item()
    else:
        same = seen == expected or (seen != seen and expected != expected)
        return None if same else ("", seen, expected)
    for path, one, other in pairs:
        difference = _difference(one, other)
        if difference is not None:
            return path + difference[0], difference[1], difference[2]
    return None
