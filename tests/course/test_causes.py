"""The likely cause of an exception is told from what was really raised, in the student's file or after it returned."""

from collections.abc import Callable

import pytest
import torch
from torch import nn

from labkit.judge.causes import cause
from labkit.observe.values import Raised

LINE = "line 12: the student's"


class Trainer:
    def training_step(self) -> None:
        pass


def none() -> None:
    return None


def raised(call: Callable[[], object], where: str) -> Raised:
    try:
        call()
    except Exception as error:
        return Raised.of(error, where)
    raise AssertionError("nothing was raised")


def unpacked(value: object) -> None:
    _one, _other = value


@pytest.mark.parametrize(
    ("call", "where", "says"),
    [
        (lambda: torch.amp.GradScaler("cpu").unscale(None), LINE, "misspelt"),
        (lambda: torch.autocats("cpu"), LINE, "misspelt"),
        (lambda: torch.ones(1).float32(), LINE, "misspelt"),
        (lambda: torch.amp.GradScaler("cpu", enabled=False)._growth_factor, LINE, "a scaler that is off"),
        (lambda: none().backward(), LINE, "something is None there"),
        (lambda: nn.BatchNorm1d(3)(torch.ones(1, 3)), LINE, "set eval mode first"),
        (lambda: torch.ones(1).backward(), LINE, "the loss has lost its graph"),
        (lambda: none().detach(), "", "None stands where a value is asked for"),
        (lambda: unpacked(none()), "", "None stands where a value is asked for"),
        (lambda: float(none()), "", "None stands where a value is asked for"),
        (lambda: none(1), "", "keep its signature"),
        (lambda: Trainer().dtype, LINE, "is it set in __init__, on self?"),
        (lambda: {}.scale(1), LINE, "a dict stands there"),
        (lambda: unpacked(Trainer()), LINE, "a method without self"),
        (lambda: unpacked(none()), LINE, "something is None there"),
        (lambda: (1, 2).detach(), "", "of another type than the skeleton's"),
        (lambda: torch.ones(1).backward(), "", "what came back has lost its graph"),
        (lambda: Trainer().train_step(), "", "the tests ask for that name"),
        (lambda: unpacked((1, 2, 3)), "", "another number of values"),
        (lambda: 1 / 0, "", "is not what the test goes on with"),
        (lambda: 1 / 0, LINE, "its message says why"),
    ],
)
def test_cause(call: Callable[[], object], where: str, says: str) -> None:
    assert says in cause(raised(call, where))


@pytest.mark.parametrize(
    ("call", "ends"),
    [
        (lambda: torch.amp.GradScaler("cpu").unscale(None), "has no attribute 'unscale'; it has 'unscale_'"),
        (lambda: Trainer().train_step(), "has no attribute 'train_step'; it has 'training_step'"),
        (lambda: Trainer().scaler, "has no attribute 'scaler'"),
        (lambda: none().detach(), "'NoneType' object has no attribute 'detach'"),
    ],
)
def test_a_name_like_the_one_that_is_missing_is_named(call: Callable[[], object], ends: str) -> None:
    assert raised(call, "").message.endswith(ends)
