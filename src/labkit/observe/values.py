"""What may cross from a process that runs a submission to the one that judges it: plain values, never objects.

`encode` turns None, bools, numbers, strings, lists, tuples, dicts with string keys, dtypes, exceptions and dense
tensors into JSON; `decode` builds fresh values from it and trusts nothing. A tensor travels as dtype, shape and raw
bytes: its bits arrive unchanged, and nothing that a submission hung on it (a subclass, `__eq__`, hooks) arrives at all.
"""

import base64
import difflib
import math
from dataclasses import dataclass

import torch
from torch import Tensor

MAX_BYTES = 64 * 2**20  # of one tensor: far above what any scenario returns
MAX_BITS = 64  # of one int
MAX_DEPTH = 16

DTYPES = {
    str(dtype).removeprefix("torch."): dtype
    for dtype in (
        torch.float16, torch.bfloat16, torch.float32, torch.float64, torch.bool,
        torch.uint8, torch.int8, torch.int16, torch.int32, torch.int64,
    )
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
            message = str(error)
        except Exception:
            message = "(its message cannot be read)"
        return cls(type(error).__name__, f"{message}{_like(error)}", where)

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


def encode(value: object, depth: int = 0) -> object:
    """`value` as JSON-ready data.

    Raises:
        NotAValue: an object of another kind, a sparse or meta tensor, a subclass of Tensor, or too much of anything.
    """
    if depth > MAX_DEPTH:
        raise NotAValue("nested too deeply")
    if value is None or type(value) in (bool, int, float, str):
        return _bounded(value)
    if type(value) in (list, tuple):
        return [encode(item, depth + 1) for item in value]
    if type(value) is dict:
        if not all(type(key) is str for key in value):
            raise NotAValue("a dict whose keys are not all strings")
        return {"$": "dict", "items": {key: encode(item, depth + 1) for key, item in value.items()}}
    if isinstance(value, torch.dtype):
        if value not in DTYPES.values():
            raise NotAValue(f"the dtype {value}")
        return {"$": "dtype", "name": str(value).removeprefix("torch.")}
    if type(value) is Raised:
        if not all(type(text) is str for text in vars(value).values()):
            raise NotAValue("an exception whose message is no plain string")
        return {"$": "raised", "type": value.type, "message": value.message, "where": value.where}
    if type(value) in (Tensor, torch.nn.Parameter):
        return _encode_tensor(value)
    raise NotAValue(f"an object of type {type(value).__name__}")


def decode(data: object, device: str = "cpu") -> object:
    """The value that `encode` gave as `data`; its tensors on `device`.

    Raises:
        NotAValue: the data is malformed.
    """
    try:
        return _decode(data, device, 0)
    except NotAValue:
        raise
    except Exception as error:
        raise NotAValue(f"malformed data ({type(error).__name__})") from None


def _bounded(value: bool | int | float | str | None) -> bool | int | float | str | None:
    if type(value) is int and value.bit_length() > MAX_BITS:
        raise NotAValue(f"an int of {value.bit_length()} bits")
    return value


def _encode_tensor(tensor: Tensor) -> dict[str, object]:
    name = str(tensor.dtype).removeprefix("torch.")
    if tensor.layout != torch.strided or tensor.is_nested or tensor.is_meta:
        kind = "nested" if tensor.is_nested else tensor.layout
        raise NotAValue(f"a {kind} tensor on {tensor.device}, where a dense one is expected")
    if name not in DTYPES:
        raise NotAValue(f"a tensor of dtype {name}")
    if tensor.nbytes > MAX_BYTES:
        raise NotAValue(f"a tensor of {tensor.nbytes} bytes")
    try:
        flat = tensor.detach().cpu().resolve_neg().reshape(-1).clone(memory_format=torch.contiguous_format)
        raw = flat.view(torch.uint8).numpy().tobytes()
    except RuntimeError as error:  # a tensor that torch.func or a compiler wraps
        raise NotAValue(f"a tensor without data of its own ({error})") from None
    return {"$": "tensor", "dtype": name, "shape": list(tensor.shape), "bytes": base64.b64encode(raw).decode()}


def _decode(data: object, device: str, depth: int) -> object:
    if depth > MAX_DEPTH:
        raise NotAValue("nested too deeply")
    if data is None or type(data) in (bool, int, float, str):
        return _bounded(data)
    if type(data) is list:
        return [_decode(item, device, depth + 1) for item in data]
    kind = data["$"]
    if kind == "dict":
        return {key: _decode(item, device, depth + 1) for key, item in data["items"].items()}
    if kind == "dtype":
        return DTYPES[data["name"]]
    if kind == "raised":
        return Raised(str(data["type"]), str(data["message"]), str(data["where"]))
    if kind == "tensor":
        return _decode_tensor(data, device)
    raise NotAValue(f"an unknown kind of value, {kind!r}")


def _decode_tensor(data: dict, device: str) -> Tensor:
    dtype, shape = DTYPES[data["dtype"]], data["shape"]
    if not all(type(size) is int and size >= 0 for size in shape):
        raise NotAValue(f"a tensor of shape {shape}")
    size = math.prod(shape) * dtype.itemsize
    if size > MAX_BYTES:
        raise NotAValue(f"a tensor of {size} bytes")
    raw = base64.b64decode(data["bytes"], validate=True)
    if len(raw) != size:
        raise NotAValue(f"a tensor of {size} bytes that holds {len(raw)}")
    if dtype == torch.bool and max(raw, default=0) > 1:
        raise NotAValue("a bool tensor that holds more than 0 and 1")
    if not raw:
        return torch.empty(shape, dtype=dtype, device=device)
    return torch.frombuffer(bytearray(raw), dtype=dtype).reshape(shape).to(device)
