"""The likely causes of Lab 06 are told from what was really raised; each fits, and none that is not meant to."""

from collections.abc import Callable

import pytest
import torch
from page_checks import ROOT
from torch import nn
from torch.nn import functional as F
from torch.overrides import TorchFunctionMode

from labkit.course import manifest
from labkit.course.loading import load_implementation
from labkit.judge.causes import ELSE, cause
from labkit.observe.values import Raised

LAB = manifest.find("build_amp")
LINE = "line 12: the student's"


class NeverEntered(TorchFunctionMode):
    def __enter__(self) -> "NeverEntered":
        return self


class WithoutKwargs(TorchFunctionMode):
    def __torch_function__(self, func, types, args=(), kwargs=None):
        return func(*args, **kwargs)


class WithoutInit(nn.Module):
    def __init__(self) -> None:
        self.weight = nn.Parameter(torch.ones(1))


def in_region(mode: TorchFunctionMode) -> None:
    with mode:
        torch.ones(2)


def unscaled_twice() -> None:
    lab = load_implementation(ROOT / "solutions" / "build_amp.py")
    scaler, optimizer = lab.StaticLossScaler(), torch.optim.SGD([nn.Parameter(torch.ones(1))], lr=0.1)
    scaler.unscale_(optimizer)
    scaler.unscale_(optimizer)


def half_gradient() -> None:
    master = nn.Parameter(torch.ones(1))
    master.grad = torch.ones(1).half()


def raised(call: Callable[[], object]) -> Raised:
    try:
        call()
    except Exception as error:
        return Raised.of(error, LINE)
    raise AssertionError("nothing was raised")


def low(*shape: int) -> torch.Tensor:
    return torch.ones(shape, dtype=torch.bfloat16)


@pytest.mark.parametrize(
    ("call", "says"),
    [
        (unscaled_twice, "once between two update()"),
        (lambda: in_region(NeverEntered()), "super().__enter__()"),
        (lambda: in_region(WithoutKwargs()), "`kwargs or {}`"),
        (lambda: low(1, 2) @ torch.ones(2, 2), "tensors of two formats"),
        (lambda: F.linear(low(1, 2), low(2, 2), torch.ones(2)), "a bias"),
        (lambda: F.conv2d(low(1, 1, 3, 3), torch.ones(1, 1, 2, 2)), "tensors of two formats"),
        (lambda: F.scaled_dot_product_attention(low(1, 2, 2), low(1, 2, 2), torch.ones(1, 2, 2)), "two formats"),
        (lambda: torch.ones(2, 2).index_copy(0, torch.tensor([0]), low(1, 2)), "one in a list?"),
        (lambda: torch.ones(()).backward(), ".to(dtype) keeps the graph"),
        (lambda: nn.Parameter(low(2)).copy_(torch.ones(2)), "under torch.no_grad()"),
        (lambda: torch.optim.SGD([nn.Parameter(low(2)).float()], lr=0.1), "detach() first"),
        (half_gradient, "a float32 master takes a float32 gradient"),
        (WithoutInit, "begins with super().__init__()"),
        (lambda: torch.stack([]).norm(), "there is no gradient at all"),
        (lambda: torch.cat([]), "there is no gradient at all"),
        (lambda: torch._foreach_mul_([], 0.5), "there is no gradient at all"),
        (lambda: bool(torch.isfinite(torch.ones(2))), ".all() or .any()"),
    ],
)
def test_cause(call: Callable[[], object], says: str) -> None:
    assert says in cause(raised(call), LAB)


@pytest.mark.parametrize(
    "message", ["the scale fell too low", "the window has no batches", "unscale_ needs a gradient"]
)
def test_own_messages_of_a_file_are_left_alone(message: str) -> None:
    assert cause(Raised("RuntimeError", message, LINE), LAB) == ELSE
