"""What a graded test expects of an observed value, and a failure that teaches when it is not so.

Every comparison carries `why`, the likely cause, and every tolerance carries `because`, where its number comes from.
"""

import math
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from labkit.judge.causes import cause
from labkit.judge.compare import apart, difference, error, index, kind, name, show, wide
from labkit.observe.values import Raised


@dataclass(frozen=True)
class Tolerance:
    """|seen - expected| <= atol + rtol * |expected|; or `ulps` units in the last place of the seen dtype."""

    because: str
    rtol: float = 0.0
    atol: float = 0.0
    ulps: float = 0.0

    def allowed(self, expected: Tensor, dtype: torch.dtype) -> Tensor:
        """float64, the largest difference allowed at each element of `expected` (float64 or complex128)."""
        size = expected.abs()
        allowed = self.atol + self.rtol * size
        if self.ulps and (dtype.is_floating_point or dtype.is_complex):
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
    """An observed value was not as expected: `got` and `expected` as text, `why` the likely cause.

    `raised` is the exception that came in the place of the value, if one did: its cause depends on the lab.
    """

    def __init__(self, got: str, expected: str, why: str, raised: Raised | None = None) -> None:
        super().__init__(f"got {got}, expected {expected}: {why}")
        self.got, self.expected, self.why, self.raised = got, expected, why, raised


class Expectation:
    """What is expected of one observed value; `what` names it in a failure."""

    def __init__(self, seen: Any, what: str) -> None:
        self.seen, self.what = seen, what

    def equals(self, expected: object, why: str, bits: bool = False) -> None:
        """The same type and value; lists, dicts and tensors are compared item by item (nan equals nan).

        `bits`: the same bits too, so that -0.0 is not 0.0, and one nan not another.
        """
        found = difference(self.seen, expected, bits)
        if found is not None:
            path, seen, wanted = found
            numbers = type(seen) is type(wanted) and type(seen) in (float, complex)
            texts = apart(seen, wanted) if numbers else (show(seen), show(wanted))
            if texts[0] == texts[1]:  # 1 and 1.0
                texts = (f"{texts[0]} ({type(seen).__name__})", f"{texts[1]} ({type(wanted).__name__})")
            what = self._at(path)
            self._fail(f"{what} = {texts[0]}", f"{what} = {texts[1]}", why, seen, wanted)

    def close_to(
        self, expected: Tensor | float, tolerance: Tolerance, why: str, dtype: torch.dtype | None = None
    ) -> None:
        """A number, or a tensor of the expected shape and of `dtype` (default: the expected one's), within `tolerance`.

        inf is only close to inf of the same sign, nan only to nan.
        """
        if not isinstance(expected, Tensor):
            return self._close_number(expected, tolerance, why)
        dtype = dtype or expected.dtype
        wanted = kind(dtype, expected.shape)
        if not isinstance(self.seen, Tensor):
            self._fail(f"{self.what} = {show(self.seen)}", f"a tensor, {wanted}", why, self.seen, expected)
        if self.seen.dtype != dtype or self.seen.shape != expected.shape:
            self._fail(f"{self.what}: {kind(self.seen.dtype, self.seen.shape)}", wanted, why)
        seen, expected = wide(self.seen), wide(expected)
        off = error(seen, expected)
        excess = off - tolerance.allowed(expected, dtype).nan_to_num(nan=0.0, posinf=0.0)
        if excess.numel() and float(excess.max()) > 0:
            worst = int(excess.argmax())
            count = int((excess > 0).sum())
            of = f" ({count} of {off.numel()} are off)" if off.numel() > 1 else ""
            got, number = apart(seen[worst].item(), expected[worst].item())
            what = self._at(index(worst, self.seen.shape))
            self._fail(f"{what} = {got}, {name(dtype)}{of}", f"{number}, {tolerance}", why)
        return None

    def _close_number(self, expected: float, tolerance: Tolerance, why: str) -> None:
        if type(self.seen) not in (int, float):
            self._fail(f"{self.what} = {show(self.seen)}", f"a float, {expected:.7g}", why, self.seen, expected)
        got, wanted = (_as_float(number) for number in (self.seen, expected))
        seen, limit = (torch.tensor([number], dtype=torch.float64) for number in (got, wanted))
        if bool(error(seen, limit) > tolerance.allowed(limit, torch.float64).nan_to_num(nan=0.0, posinf=0.0)):
            texts = apart(got, wanted)
            self._fail(f"{self.what} = {texts[0]}", f"{texts[1]}, {tolerance}", why)

    def less_than(self, limit: float, why: str) -> None:
        """A finite number below `limit`."""
        if not _is_finite(self.seen) or not self.seen < limit:
            self._fail(f"{self.what} = {show(self.seen)}", f"less than {limit:.6g}", why, self.seen, limit)

    def more_than(self, limit: float, why: str) -> None:
        """A finite number above `limit`."""
        if not _is_finite(self.seen) or not self.seen > limit:
            self._fail(f"{self.what} = {show(self.seen)}", f"more than {limit:.6g}", why, self.seen, limit)

    def _at(self, path: str) -> str:
        """The value's name and the place in it: "weight[3, 0]", but "weight after step 2, at [3, 0]"."""
        return f"{self.what}, at {path}" if path and " " in self.what else f"{self.what}{path}"

    def _fail(self, got: str, expected: str, why: str, seen: object = None, wanted: object = None) -> None:
        raised = seen if isinstance(seen, Raised) else None
        raise Unexpected(got, expected, _cause_of_kind(seen, wanted) or why, raised)


def expect_error(seen: object, what: str, type_name: str, why: str) -> None:
    """An exception of this type came back, and no value."""
    got = seen.type if isinstance(seen, Raised) else "no exception"
    expect(got, f"{what}: exception").equals(type_name, why)


def _cause_of_kind(seen: object, wanted: object) -> str:
    """The cause where a value of another kind came back, or an exception; else ""."""
    if isinstance(seen, Raised):
        return cause(seen)
    if isinstance(seen, Tensor) and type(wanted) in (bool, int, float):
        return "a tensor came back where a Python number is asked for: .item() makes one"
    if type(seen) is bool and type(wanted) is float:
        return "True or False came back where a number is asked for: are the two in the other order?"
    if seen is None and type(wanted) is bool:
        return "None came back where True or False is asked for: does every path end in a return?"
    return ""


def _is_finite(seen: object) -> bool:
    """Whether it is an int or a float, and neither inf nor nan; True and False are no numbers here."""
    return type(seen) is int or (type(seen) is float and math.isfinite(seen))


def _as_float(number: float) -> float:
    """Infinity for an int that is too large for one."""
    try:
        return float(number)
    except OverflowError:
        return float("inf") if number > 0 else float("-inf")


def expect(seen: object, what: str = "it") -> Expectation:
    return Expectation(seen, what)
