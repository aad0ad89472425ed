"""What a scenario brings back from the code under test: values, exceptions as values, and nothing that acts."""

import json
import re
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
import torch.distributed as dist
from torch import Tensor

from labkit.course.errors import LabError
from labkit.course.loading import load_implementation
from labkit.observe import Flag, Submission, attempt, traffic
from labkit.observe.answer import Answer, Ending, joined
from labkit.observe.deadline import OutOfTime
from labkit.observe.local import NoValue, Observer, Recorder, Replay, observe_with
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


def call(lab: Submission, name: str, x: object = 1) -> object:
    """The scenario: calls the student's function of that name."""
    return getattr(lab, name)(x)


def call_attempted(lab: Submission, name: str) -> list:
    return [attempt(lambda: getattr(lab, name)(1))]


def raised(observe: Callable, *args: object, **inputs: object) -> Raised:
    seen = ended(observe, *args, **inputs)
    assert seen.ending == Ending.RAISED
    return seen.raised


def ended(observe: Callable, *args: object, **inputs: object) -> Answer:
    """How a scenario ended that gave no value."""
    with pytest.raises(NoValue) as caught:
        observe(*args, **inputs)
    return caught.value.answer


# Exceptions -------------------------------------------------------------------------------------------------------


def test_exception_names_the_line_in_the_students_file(observe: Callable) -> None:
    line = 1 + STUDENT.splitlines().index("    return x / 0")
    assert raised(observe, call, name="divide") == Raised(
        "ZeroDivisionError", "division by zero", f"line {line}: return x / 0"
    )


def test_exception_elsewhere_names_no_line(observe: Callable) -> None:
    def scenario(lab: Submission) -> None:
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
    def scenario(lab: Submission) -> None:
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
    assert ended(observe, call, name="equal_to_all").says == "returned an object of type AlwaysEqual"


def test_method_hung_on_a_tensor_does_not_arrive(observe: Callable) -> None:
    def scenario(lab: Submission) -> Tensor:
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
    seen = ended(observe, lambda lab: lab.double)
    assert (seen.ending, seen.says) == (Ending.MALFORMED, "returned an object of type function")


FLOODS = {
    "text": "a" * 10**8,
    "numbers": [0] * 3_000_000,
    "circle": (circle := []),
    "deep": json.loads("[" * 900 + "]" * 900),
}
circle.append(circle)


@pytest.mark.parametrize("name", FLOODS)
def test_too_much_of_anything_is_malformed(observe: Callable, name: str) -> None:
    assert ended(observe, lambda lab: FLOODS[name]).ending == Ending.MALFORMED


def test_damaged_record_is_malformed() -> None:
    damaged = {"$": "tensor", "dtype": "float32", "shape": [9], "bytes": ""}
    assert ended(observe_with(Replay([damaged])), call).ending == Ending.MALFORMED


# Other endings ----------------------------------------------------------------------------------------------------


def test_memory_that_is_out_is_an_ending_of_its_own(observe: Callable) -> None:
    def scenario(lab: Submission) -> None:
        raise MemoryError

    assert ended(observe, scenario).ending == Ending.MEMORY


def test_the_end_of_the_time_is_an_ending_with_its_line(observer: Observer, monkeypatch: pytest.MonkeyPatch) -> None:
    def ring(x: int) -> None:
        raise OutOfTime(3)

    monkeypatch.setattr(observer.module, "stub", ring)
    seen = ended(observe_with(observer), call_attempted, name="stub")  # which passes through `attempt`
    assert (seen.ending, seen.says) == (Ending.TIMEOUT, "no answer within 3 s")


@pytest.mark.parametrize("ranks", [2, 3])
def test_ranks_that_the_manifest_does_not_give_are_an_error_of_the_suite(observer: Observer, ranks: int) -> None:
    seen = ended(observe_with(observer), call, ranks=ranks, name="double")
    assert seen.ending == Ending.MACHINERY
    assert f"`ranks = {ranks}`" in seen.says


def test_inputs_that_are_no_values_are_an_error_of_the_suite(observe: Callable) -> None:
    assert ended(observe, call, name="double", x=object()).ending == Ending.MACHINERY


def test_a_name_that_a_scenario_lacks_is_an_error_of_the_suite(observe: Callable) -> None:
    def scenario(lab: Submission) -> object:
        return lab.double(no_such_name)  # noqa: F821

    def imports(lab: Submission) -> object:
        import no_such_module

        return no_such_module

    says = ended(observe, scenario).says
    assert re.fullmatch(
        r".*test_observe\.py, line \d+: NameError in the scenario scenario: name 'no_such_name' is .*", says
    )
    assert ended(observe, imports).ending == Ending.MACHINERY
    assert raised(observe, lambda lab: lab.attribute_of_none()).type == "MissingName"


def answer_of(ending: Ending) -> Answer:
    return Answer(1, ending, Raised("ValueError", "no") if ending == Ending.RAISED else None)


@pytest.mark.parametrize("ending", Ending)
def test_of_several_ranks_the_one_that_is_the_cause_counts(ending: Ending) -> None:
    others = [Ending.RETURNED] if ending == Ending.TIMEOUT else [Ending.RETURNED, Ending.TIMEOUT]
    for other in others:
        assert joined([answer_of(other), answer_of(ending)]).ending in (ending, other)
        if ending != Ending.RETURNED:
            assert joined([answer_of(other), answer_of(ending)]).ending == ending


@pytest.mark.parametrize("ending", Ending)
def test_answers_cross_as_bytes(ending: Ending) -> None:
    sent = answer_of(ending).but(says="says", where="line 1: x", printed="printed", seconds=1.5)
    assert Answer.load(sent.dump(), trusted=True) == sent
    excuse = ending == Ending.MACHINERY  # which a process that runs a submission cannot give
    assert Answer.load(sent.dump()).ending == (Ending.MALFORMED if excuse else ending)


@pytest.mark.parametrize(
    "text",
    [
        b"", b"\xff", b"1", b"[]", b"[1, 2, 3, 4]", b"[{}, 0, null, null]", b"[" * 100_000,
        Answer("x").dump().replace(b"returned", b"perfect"), Answer("x").dump().replace(b"returned", b"raised"),
        Answer("x").dump().replace(b'"says": ""', b'"says": 3'), Answer("x").dump().replace(b"0.0", b'"soon"'),
        Answer("x").dump().replace(b'"printed": ""', b'"printed": 5'),
        Answer(ending=Ending.TIMEOUT).dump().replace(b"0.0, null", b"0.0, 5"),
        Answer(torch.ones(1)).dump().replace(b"float32", b"float99"),
    ],
)  # fmt: skip
def test_bytes_that_are_no_answer_are_malformed(text: bytes) -> None:
    assert Answer.load(text).ending == Ending.MALFORMED


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


# Traffic ----------------------------------------------------------------------------------------------------------


def test_flag_is_down_until_it_is_set(tmp_path: Path) -> None:
    """And down again where the next test makes one of the same name."""
    dist.init_process_group("gloo", init_method=f"file://{tmp_path}/store", rank=0, world_size=1)
    try:
        for _ in range(2):
            flag = Flag("one name")
            assert not flag.wait(0.05)
            flag.set()
            assert flag.wait(0.05)
    finally:
        dist.destroy_process_group()


def test_calls_on_a_group_are_recorded_in_order(tmp_path: Path) -> None:
    """Those inside a hook of backward too, and not those outside the block."""
    dist.init_process_group("gloo", init_method=f"file://{tmp_path}/store", rank=0, world_size=1)
    try:
        weight = torch.ones(3, requires_grad=True)
        weight.register_post_accumulate_grad_hook(lambda one: dist.all_reduce(one.grad) and None)
        dist.barrier()
        with traffic() as calls:
            dist.broadcast(torch.ones(2, dtype=torch.bfloat16), 0)
            (weight * 2).sum().backward()
            gathered = [torch.ones(4, dtype=torch.int64)]
            dist.all_gather(gathered, gathered[0])
        dist.barrier()
    finally:
        dist.destroy_process_group()
    assert calls == [
        {"name": "broadcast_", "dtype": torch.bfloat16, "bytes": 4},
        {"name": "allreduce_", "dtype": torch.float32, "bytes": 12},
        {"name": "allgather_", "dtype": torch.int64, "bytes": 32},
    ]


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
