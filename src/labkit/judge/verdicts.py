"""The verdict on one behaviour, from how the code under test and the test itself ended."""

from collections.abc import Sequence
from types import ModuleType

import pytest

from labkit.course.manifest import Behaviour, Lab
from labkit.course.records import EVERY_NAME, NO_EXCEPTION, NOT_RUN, OVER, Record, State
from labkit.judge.causes import SLIPS, cause, cause_of_failure, raised_in
from labkit.judge.expect import Unexpected
from labkit.observe.answer import Answer, Ending
from labkit.observe.deadline import OutOfTime
from labkit.observe.local import MissingName, NoValue
from labkit.observe.rank_group import OTHER_SIZE
from labkit.observe.values import Raised

FORM = "what came back does not match the docstring: check names, types and order"
LOOP = "look for an endless loop"
SLOW = "all tests together were too slow: look for what takes long, or prints much, in every call"
DEADLOCK = "an endless loop, or ranks that wait for each other: each makes the same calls on the group, in one order"
DISAGREE = "ranks do not make the same calls: another order, a tensor that one leaves out, or models that differ?"
ENDINGS = {  # of an answer without a value and without an exception: state, what was expected, the likely cause
    Ending.TIMEOUT: (State.TIMEOUT, "an answer", LOOP),
    Ending.MEMORY: (
        State.MEMORY,
        "an answer",
        "something grows in a loop, or a tensor is too large",
    ),
    Ending.CRASHED: (State.CRASHED, "an answer", "the code ended Python itself there: no test can go on"),
    Ending.MALFORMED: (State.MALFORMED, "plain values and tensors", FORM),
    Ending.MACHINERY: (State.GRADER_ERROR, "", ""),
}
# What Python raises where a test takes apart a value of another form than it expects.
TAKEN_APART = (
    TypeError, LookupError, AttributeError, ValueError, RuntimeError, ArithmeticError, AssertionError, StopIteration,
    pytest.fail.Exception,
)  # fmt: skip


def unjudged(lab: Lab, behaviour: Behaviour) -> Record:
    """The record of a behaviour before its verdict."""
    return Record(
        lab=lab.name, id=behaviour.id, step=behaviour.step, points=behaviour.points, seconds=0.0,
        read=f"{lab.reading}#{behaviour.read}",
    )  # fmt: skip


def verdict(lab: Lab, behaviour: Behaviour, call: pytest.CallInfo, answers: Sequence[Answer]) -> Record:
    """The verdict, from what the test raised, and the `answers` that it had been given."""
    base = unjudged(lab, behaviour).but(seconds=round(call.duration, 4))
    error = call.excinfo.value if call.excinfo else None
    if error is None:
        return base.but(state=State.PASSED, earned=behaviour.points)
    if isinstance(error, NoValue):
        return of_answer(base, lab, behaviour, error.answer)
    if isinstance(error, OutOfTime):
        return _out_of_time(base, lab, behaviour, error, answers)
    if isinstance(error, pytest.skip.Exception):
        return base.but(state=State.SKIPPED, needs=str(error))
    slip = _slip(error, [answer.value for answer in answers])
    if slip is not None:
        return of_answer(base, lab, behaviour, Answer.of(slip))
    if isinstance(error, Unexpected):
        found = cause(error.raised, lab) if error.raised else cause_of_failure(lab, behaviour.id, error.got)
        return base.but(state=State.FAILED, got=error.got, expected=error.expected, why=found or error.why)
    says = f"{type(error).__name__}: {error}"
    if call.when == "call" and _comes_of_a_value(error, answers):
        return base.but(state=State.FAILED, got=says, expected="a value that can be judged", why=FORM)
    return broken(base, f"{says} in the test itself")


def of_answer(base: Record, lab: Lab, behaviour: Behaviour, answer: Answer) -> Record:
    """The verdict where the code under test gave no value."""
    if answer.ending == Ending.MACHINERY:
        return broken(base, answer.says)
    if answer.raised is not None:
        return _of_exception(base, lab, behaviour, answer.raised)
    state, expected, why = ENDINGS[answer.ending]
    if answer.says.startswith((NOT_RUN, OVER)):
        why = SLOW if answer.says.startswith(OVER) else ""
    elif OTHER_SIZE in answer.says:
        why = DISAGREE
    elif state == State.TIMEOUT and lab.step(behaviour.step).ranks > 1:
        why = DEADLOCK
    got = f"{answer.says}{f', {answer.where}' if answer.where else ''}"
    return base.but(state=state, got=got, expected=expected, why=why)


def broken(base: Record, says: str) -> Record:
    """The record where suite or machinery failed."""
    return base.but(state=State.GRADER_ERROR, got=says, expected="", why="")


def _out_of_time(base: Record, lab: Lab, behaviour: Behaviour, error: OutOfTime, answers: Sequence[Answer]) -> Record:
    """The limit ended the test itself, between two answers."""
    spent = sum(answer.seconds for answer in answers)
    if spent < error.seconds / 2:
        return broken(base, f"the test itself took {error.seconds - spent:.0f} of its {error.seconds:g} s")
    return of_answer(base, lab, behaviour, Answer(ending=Ending.TIMEOUT, says=str(error)))


def _comes_of_a_value(error: BaseException, answers: Sequence[Answer]) -> bool:
    """Whether the test may have stumbled over the form of what came back; without a value, it is the test's own bug."""
    if isinstance(error, AttributeError) and isinstance(error.obj, ModuleType):
        return False
    return isinstance(error, TAKEN_APART) and any(answer.ending == Ending.RETURNED for answer in answers)


def _slip(error: BaseException, values: list[object]) -> Raised | None:
    """The exception of the code under test that a scenario caught, if that is what the test stumbled over."""
    if isinstance(error, Unexpected):
        return next((one for one in raised_in(values) if one.type in SLIPS and one.type not in error.got), None)
    return next(raised_in(values), None)


def _of_exception(base: Record, lab: Lab, behaviour: Behaviour, raised: Raised) -> Record:
    stub_step = lab.stub_messages().get(raised.message) if raised.type == NotImplementedError.__name__ else None
    if stub_step is not None:
        state = State.TODO if stub_step == behaviour.step else State.BLOCKED
        return base.but(state=state, needs=raised.message)
    if raised.type == MissingName.__name__:
        why = "the tests call your functions by their names"
        return base.but(state=State.FAILED, got=raised.message, expected=EVERY_NAME, why=why)
    return base.but(state=State.FAILED, got=str(raised), expected=NO_EXCEPTION, why=cause(raised, lab))
