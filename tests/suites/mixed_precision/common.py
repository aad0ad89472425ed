"""What the tests of several steps share: the formats, the tolerances and where their numbers come from."""

import torch

from labkit.judge.expect import Tolerance, expect
from labkit.observe.values import DTYPES, Raised

HALVES = (torch.float16, torch.bfloat16)
FORMATS = (*HALVES, torch.float32)
OTHER_DTYPES = tuple(dtype for dtype in DTYPES.values() if dtype not in FORMATS)
EXACT = Tolerance("nothing is rounded on the way", atol=0.0)
FLOAT32 = Tolerance("a few float32 roundings of 2^-24 each", rtol=1e-5, atol=1e-6)
ONE_ULP = Tolerance(
    "computed wider and rounded once; the kernel's order of sums may move it by one", ulps=1.01, atol=1e-7
)
HALF_LINEAR = Tolerance("rounding of a bias and of a product to half precision", ulps=2.01, atol=2e-3)
HALF_TRAINING = Tolerance("half-precision rounding of activations and gradients, below 1 % each", rtol=0.03, atol=1e-12)


def expect_value_error(seen: object, what: str, names: list[str]) -> None:
    why = "bad input gets a ValueError" + (f" whose message names {', '.join(names)}" if names else "")
    got = seen if isinstance(seen, Raised) else Raised("no exception", "")
    expect(got.type, f"{what}: exception").equals("ValueError", why)
    # "float16" is a part of "bfloat16": take the longer names out first
    message, found = got.message, []
    for name in sorted(names, key=len, reverse=True):
        if name in message:
            found.append(name)
            message = message.replace(name, "")
    expect(sorted(found), f"{what}: dtypes that the ValueError's message names").equals(sorted(names), why)


MODEST_SCALE = 1024.0  # the default of 65536 overflows for some drawn batches, and this is not about skips


def expect_movement(seen: dict, before: dict, expected: dict, why: str) -> None:
    """The weights moved from `before` as they did in the reference, up to half-precision rounding."""
    moves = {name: value - before[name] for name, value in expected.items()}
    largest = max(moved.abs().max().item() for moved in moves.values())
    for name, moved in moves.items():
        tolerance = Tolerance(
            "half-precision rounding: 2^-9 of each term, and in a bias's gradient large terms cancel",
            atol=0.03 * moved.abs().max().item() + 0.01 * largest + 1e-7,
        )
        expect(seen[name] - before[name], f"movement of {name}").close_to(moved, tolerance, why)
