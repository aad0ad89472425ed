"""What a scenario brings back from the code under test: values, exceptions as values, and nothing that acts."""

import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from torch import Tensor

from labkit.course.errors import LabError
from labkit.course.loading import load_implementation
from labkit.observe.local import Lab, Observer, Recorder, Replay, SubmissionRaised, attempt, observe_with
from labkit.observe.values import Raised

STUDENT = '''\
"""A student's file."""

import sys

import pytest
import torch
from torch.nn import Linear


class AlwaysEqual(torch.Tensor):
    def __eq__(self, other):
        return True


class Silent(Exception):
    def __str__(self):
        raise RuntimeError("no message")


class Trainer:
    pass


def double(x):
    return 2 * x

def divide(x):
    return x / 0

def leave(x):
    sys.exit(0)

def skip(x):
    pytest.skip("not today")

def succeed(x):
    pytest.exit("all passed", returncode=0)

def silent(x):
    raise Silent

def stub(x):
    raise NotImplementedError("Step 1: stub")

def equal_to_all(x):
    return torch.zeros(3).as_subclass(AlwaysEqual)

def overwrite(x):
    return x.mul_(0)
'''


@pytest.fixture(scope="module")
def observer(tmp_path_factory: pytest.TempPathFactory) -> Observer:
    path = tmp_path_factory.mktemp("student") / "student.py"
    path.write_text(STUDENT)
    return Observer(load_implementation(path))


@pytest.fixture
def observe(observer: Observer) -> Callable:
    return observe_with(observer)


def call(lab: Lab, name: str, x: object = 1) -> object:
    """The scenario: calls the student's function of that name."""
    return getattr(lab, name)(x)


def call_attempted(lab: Lab, name: str) -> list:
    return [attempt(lambda: getattr(lab, name)(1))]


def raised(observe: Callable, *args: object, **inputs: object) -> Raised:
    with pytest.raises(SubmissionRaised) as caught:
        observe(*args, **inputs)
    return caught.value.raised


# Exceptions -------------------------------------------------------------------------------------------------------


def test_exception_names_the_line_in_the_students_file(observe: Callable) -> None:
    line = 1 + STUDENT.splitlines().index("    return x / 0")
    assert raised(observe, call, name="divide") == Raised(
        "ZeroDivisionError", "division by zero", f"line {line}: return x / 0"
    )


def test_exception_elsewhere_names_no_line(observe: Callable) -> None:
    def scenario(lab: Lab) -> None:
        raise ValueError("in the scenario")

    assert raised(observe, scenario) == Raised("ValueError", "in the scenario", "")


@pytest.mark.parametrize(
    ("name", "kind", "message"),
    [("leave", "SystemExit", "0"), ("skip", "Skipped", "not today"), ("succeed", "Exit", "all passed")],
)
def test_ways_out_of_a_test_are_failures(observe: Callable, name: str, kind: str, message: str) -> None:
    seen = raised(observe, call, name=name)
    assert (seen.type, seen.message) == (kind, message)
    assert seen.where.startswith("line ")


def test_exception_whose_message_raises_is_a_failure(observe: Callable) -> None:
    assert raised(observe, call, name="silent").type == "Silent"
    assert observe(call_attempted, name="silent")[0].type == "Silent"


def test_keyboard_interrupt_stops_the_run(observe: Callable) -> None:
    def scenario(lab: Lab) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        observe(scenario)


def test_attempt_gives_an_exception_as_a_value(observe: Callable) -> None:
    (found,) = observe(call_attempted, name="divide")
    assert (found.type, found.message) == ("ZeroDivisionError", "division by zero")
    assert found.where.endswith("return x / 0")
    assert observe(call_attempted, name="double") == [2]


@pytest.mark.parametrize("name", ["stub", "leave", "skip"])
def test_attempt_lets_stubs_and_exits_through(observe: Callable, name: str) -> None:
    """A scenario that expects an exception must not take an unwritten function for a right one."""
    assert raised(observe, call_attempted, name=name) == raised(observe, call, name=name)


# Missing names ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("scenario", [call, call_attempted])
def test_missing_name_is_asked_for_with_the_close_match(observe: Callable, scenario: Callable) -> None:
    seen = raised(observe, scenario, name="doubled")
    assert seen == Raised("MissingName", "the file has no doubled: did you misname it? The file has double")
    assert "The file has Trainer" in raised(observe, scenario, name="Trainers").message


@pytest.mark.parametrize("name", ["accumulate", "Linears"])
def test_missing_name_without_a_match(observe: Callable, name: str) -> None:
    """What the file only imports is no match."""
    message = f"the file has no {name}: write it, or restore the stub"
    assert raised(observe, call, name=name) == Raised("MissingName", message)


# Values -----------------------------------------------------------------------------------------------------------


def test_tensor_that_equals_everything_is_refused(observe: Callable) -> None:
    assert raised(observe, call, name="equal_to_all") == Raised("TypeError", "returned an object of type AlwaysEqual")


def test_method_hung_on_a_tensor_does_not_arrive(observe: Callable) -> None:
    def scenario(lab: Lab) -> Tensor:
        seen = lab.double(torch.ones(2))
        seen.equal = seen.allclose = lambda *_: True
        return seen

    assert vars(observe(scenario)) == {}


def test_submission_cannot_change_the_inputs_of_the_test(observe: Callable) -> None:
    x = torch.ones(3)
    assert observe(call, name="overwrite", x=x).tolist() == [0, 0, 0]
    assert x.tolist() == [1, 1, 1]


def test_submission_cannot_change_what_it_returned(observe: Callable) -> None:
    kept = torch.ones(3)
    seen = observe(lambda lab: kept)
    kept.zero_()
    assert seen.tolist() == [1, 1, 1]


def test_returned_object_is_refused(observe: Callable) -> None:
    assert raised(observe, lambda lab: lab.double) == Raised("TypeError", "returned an object of type function")


def test_damaged_answer_is_a_failure() -> None:
    class Forged:
        def run(self, *asked: object) -> object:
            return {"$": "tensor", "dtype": "float32", "shape": [9], "bytes": ""}

    assert raised(observe_with(Forged()), call).type == "TypeError"


# Record and replay ------------------------------------------------------------------------------------------------


def test_replay_gives_back_what_was_recorded(observer: Observer) -> None:
    record: list = []
    first = observe_with(Recorder(observer, record))
    assert first(call, name="double", x=3) == 6
    assert raised(first, call, name="divide").type == "ZeroDivisionError"

    again = observe_with(Replay(record))
    assert again(call, name="double", x=5) == 6, "whatever is asked"
    assert raised(again, call, name="double").type == "ZeroDivisionError"
    assert again(call, name="double") is None, "at the end of the record"


# The file itself --------------------------------------------------------------------------------------------------


def load(folder: Path, source: bytes) -> object:
    path = folder / "lab.py"
    path.write_bytes(source)
    return load_implementation(path)


def test_file_with_a_byte_order_mark_or_a_coding_is_read_as_python_reads_it(tmp_path: Path) -> None:
    assert load(tmp_path, b"\xef\xbb\xbfx = 1\n").x == 1
    assert load(tmp_path, b"# coding: latin-1\nx = '\xe4'\n").x == "\u00e4"


def test_file_that_python_would_not_read_is_refused(tmp_path: Path) -> None:
    """Although `compile` takes the bytes: a comment in Latin-1."""
    with pytest.raises(LabError, match=r"lab\.py, line 4: that is not utf-8; save the file as UTF-8$"):
        load(tmp_path, b"x = 1\n\n\n# caf\xe9\n")
    with pytest.raises(LabError, match=r"lab\.py: invalid or missing encoding declaration.*; save the file as UTF-8$"):
        load(tmp_path, b"# caf\xe9\nx = 1\n")


def test_dataclass_in_the_file_finds_its_module(tmp_path: Path) -> None:
    module = load(tmp_path, b"import dataclasses\n@dataclasses.dataclass\nclass A:\n    x: int = 1\n")
    assert sys.modules[module.A.__module__] is module
