"""What may cross from a process that runs a submission to the one that judges it: plain values, never objects.

`encode` turns None, bools, numbers, strings, lists, tuples, dicts with string keys, dtypes, exceptions and dense
tensors into JSON; `decode` builds fresh values from it and trusts nothing. A tensor travels as dtype, shape and raw
bytes: its bits arrive unchanged, and nothing that a submission hung on it (a subclass, `__eq__`, hooks) arrives at all.
A value is bounded as a whole, on both sides: `LIMITS` is the one place for it.
"""

import base64
import difflib
import json
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor


@dataclass(frozen=True)
class Limits:
    """How much one value may hold, all its parts together; far above what any scenario returns."""

    tensors: int = 64 * 2**20  # bytes
    entries: int = 2**20  # of one tensor, in which a size of 0 counts as 1: a test may take it apart row by row
    text: int = 2**20  # characters of all strings and keys
    items: int = 100_000  # of lists and dicts, and everything else that is a value
    depth: int = 16
    bits: int = 64  # of one int

    @property
    def bytes(self) -> int:
        """Of the JSON: base64 of the tensors, escaped text (6 bytes a character), and what is written around items."""
        return self.tensors * 4 // 3 + 6 * self.text + 128 * self.items


LIMITS = Limits()

Json = Any  # what json.loads gives, and json.dumps takes

MOST = 20_000  # characters of each part of an exception that another process gave
MESSAGE = 10_000  # characters of an exception's message that are kept

DTYPES = {
    name: getattr(torch, name)
    for name in (
        "float16", "bfloat16", "float32", "float64", "bool",
        "uint8", "int8", "int16", "int32", "int64", "uint16", "uint32", "uint64",
        "complex32", "complex64", "complex128",
        "float8_e4m3fn", "float8_e5m2", "float8_e4m3fnuz", "float8_e5m2fnuz", "float8_e8m0fnu", "float4_e2m1fn_x2",
    )
    if hasattr(torch, name)
}  # fmt: skip


@dataclass(frozen=True)
class Raised:
    """An exception as a value: its type's name, its message, and where in the submission it arose ("line 12: text")."""

    type: str
    message: str
    where: str = ""

    @classmethod
    def of(cls, error: BaseException, where: str = "") -> "Raised":
        try:
            message = str.__str__(str(error))  # a subclass of str could answer anything
        except BaseException:  # it may do anything
            message = "(its message cannot be read)"
        return cls(type(error).__name__, f"{message[:MESSAGE]}{_like(error)}", where)

    def __str__(self) -> str:
        return f"{self.type}: {self.message}{f', {self.where}' if self.where else ''}"


def _like(error: BaseException) -> str:
    """Of a name that an object or a module lacks: the one like it that it has."""
    if not isinstance(error, AttributeError) or not error.name or error.obj is None:
        return ""
    try:
        close = difflib.get_close_matches(error.name, dir(error.obj), n=1, cutoff=0.75)
    except BaseException:  # its own __dir__ may do anything
        return ""
    return f"; it has '{close[0]}'" if close else ""


class NotAValue(Exception):
    """The object, or the JSON, is nothing that may cross."""


class _Budget:
    """What is left of `LIMITS` for the value that is being encoded or decoded."""

    def __init__(self) -> None:
        self.items, self.text, self.tensors = LIMITS.items, LIMITS.text, LIMITS.tensors

    def take_item(self, depth: int) -> None:
        if depth > LIMITS.depth:
            raise NotAValue("something nested too deeply")
        self.items -= 1
        if self.items < 0:
            raise NotAValue(f"more than {LIMITS.items} items")

    def take_text(self, text: str) -> str:
        self.text -= len(text)
        if self.text < 0:
            raise NotAValue(f"more than {LIMITS.text} characters of text")
        return text

    def take_tensor(self, size: int, shape: Sequence[int]) -> None:
        if math.prod(max(1, one) for one in shape) > LIMITS.entries:
            raise NotAValue(f"a tensor of more than {LIMITS.entries} entries")
        self.tensors -= size
        if self.tensors < 0:
            raise NotAValue(f"tensors of more than {LIMITS.tensors} bytes")


def encode(value: object) -> Json:
    """`value` as JSON-ready data.

    Raises:
        NotAValue: an object of another kind, a sparse or meta tensor, a subclass of Tensor, or too much of anything.
    """
    return _encode(value, _Budget(), 0)


def decode(data: Json, device: str = "cpu") -> Any:
    """The value that `encode` gave as `data`; its tensors on `device`.

    Raises:
        NotAValue: the data is malformed.
    """
    try:
        return _decode(data, device, _Budget(), 0)
    except NotAValue:
        raise
    except Exception as error:
        raise NotAValue(f"malformed data ({type(error).__name__})") from None


def parse(text: bytes) -> Json:
    """JSON that another process wrote, as data for `decode`; bounded before anything is built from it.

    Raises:
        NotAValue: it is no JSON, or more of it than any value needs.
    """
    if len(text) > LIMITS.bytes:
        raise NotAValue(f"a reply of {len(text)} bytes")
    if text.count(b",") + text.count(b"[") + text.count(b"{") > 8 * LIMITS.items + LIMITS.text:
        raise NotAValue("a reply of too many parts")
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        raise NotAValue(f"a reply that is no JSON ({type(error).__name__})") from None


def _encode(value: Any, budget: _Budget, depth: int) -> Json:
    budget.take_item(depth)
    if value is None or type(value) in (bool, int, float, str):
        return _bounded(value, budget)
    if type(value) in (list, tuple):
        return [_encode(item, budget, depth + 1) for item in value]
    if type(value) is dict:
        if not all(type(key) is str for key in value):
            raise NotAValue("a dict whose keys are not all strings")
        items = {budget.take_text(key): _encode(item, budget, depth + 1) for key, item in value.items()}
        return {"$": "dict", "items": items}
    if isinstance(value, torch.dtype):
        if value not in DTYPES.values():
            raise NotAValue(f"the dtype {value}")
        return {"$": "dtype", "name": str(value).removeprefix("torch.")}
    if type(value) is Raised:
        if not all(type(text) is str for text in vars(value).values()):
            raise NotAValue("an exception whose message is no plain string")
        return {"$": "raised"} | {name: budget.take_text(text) for name, text in vars(value).items()}
    if type(value) in (Tensor, torch.nn.Parameter):
        return _encode_tensor(value, budget)
    raise NotAValue(f"an object of type {type(value).__name__}")


def _bounded(value: bool | int | float | str | None, budget: _Budget) -> bool | int | float | str | None:
    if type(value) is int and value.bit_length() > LIMITS.bits:
        raise NotAValue(f"an int of {value.bit_length()} bits")
    return budget.take_text(value) if type(value) is str else value


def _encode_tensor(tensor: Tensor, budget: _Budget) -> dict[str, object]:
    name = str(tensor.dtype).removeprefix("torch.")
    if tensor.layout != torch.strided or tensor.is_nested or tensor.is_meta:
        kind = "nested" if tensor.is_nested else tensor.layout
        raise NotAValue(f"a {kind} tensor on {tensor.device}, where a dense one is expected")
    if name not in DTYPES:
        raise NotAValue(f"a tensor of dtype {name}")
    budget.take_tensor(tensor.nbytes, tensor.shape)
    try:
        plain = tensor.detach().cpu().resolve_conj().resolve_neg()
        flat = plain.reshape(-1).clone(memory_format=torch.contiguous_format)
        raw = flat.view(torch.uint8).numpy().tobytes()
    except RuntimeError as error:  # a tensor that torch.func or a compiler wraps
        raise NotAValue(f"a tensor without data of its own ({error})") from None
    return {"$": "tensor", "dtype": name, "shape": list(tensor.shape), "bytes": base64.b64encode(raw).decode()}


def _decode(data: Json, device: str, budget: _Budget, depth: int) -> Any:
    budget.take_item(depth)
    if data is None or type(data) in (bool, int, float, str):
        return _bounded(data, budget)
    if type(data) is list:
        return [_decode(item, device, budget, depth + 1) for item in data]
    kind = data["$"]
    if kind == "dict":
        items = data["items"].items()
        return {budget.take_text(key): _decode(item, device, budget, depth + 1) for key, item in items}
    if kind == "dtype":
        return DTYPES[data["name"]]
    if kind == "raised":
        return Raised(*(budget.take_text(str(data[name]))[:MOST] for name in ("type", "message", "where")))
    if kind == "tensor":
        return _decode_tensor(data, device, budget)
    raise NotAValue(f"an unknown kind of value, {str(kind)[:40]!r}")


def _decode_tensor(data: dict, device: str, budget: _Budget) -> Tensor:
    dtype, shape = DTYPES[data["dtype"]], data["shape"]
    if not all(type(size) is int and size >= 0 for size in shape):
        raise NotAValue("a tensor of no shape")
    if len(shape) > LIMITS.bits:  # torch's own limit on dimensions
        raise NotAValue(f"a tensor of {len(shape)} dimensions")
    size = math.prod(shape) * dtype.itemsize
    budget.take_tensor(size, shape)
    raw = base64.b64decode(data["bytes"], validate=True)
    if len(raw) != size:
        raise NotAValue(f"a tensor of {size} bytes that holds {len(raw)}")
    if dtype == torch.bool and max(raw, default=0) > 1:
        raise NotAValue("a bool tensor that holds more than 0 and 1")
    if not raw:
        return torch.empty(shape, dtype=dtype, device=device)
    return torch.frombuffer(bytearray(raw), dtype=torch.uint8).view(dtype).reshape(shape).to(device)
