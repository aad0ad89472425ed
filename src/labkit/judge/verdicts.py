"""The verdict on one behaviour, from what its test raised."""

import pytest

from labkit.course.manifest import Behaviour, Lab
from labkit.course.records import EVERY_NAME, NO_EXCEPTION, Record
from labkit.judge.causes import SLIPS, cause, cause_of_failure, raised_in
from labkit.judge.expect import Unexpected
from labkit.observe.local import MissingName, SubmissionRaised
from labkit.observe.ranks import DEADLINE, RANK_TIMEOUT
from labkit.observe.values import Raised

FORM = "what came back has another form than the skeleton's docstring says: compare names, types and order"
LOOP = "look for a loop without an end"
DEADLOCK = (
    "a loop without an end, or ranks that wait for each other: each makes the same calls on the group, in one order"
)
TIMEOUT = 30.0  # seconds for one graded test; the slowest takes about two


def verdict(lab: Lab, behaviour: Behaviour, call: pytest.CallInfo, observed: list[object]) -> Record:
    """The verdict on one behaviour, from what its test raised, and `observed` before."""
    base = Record(
        lab=lab.name, id=behaviour.id, step=behaviour.step, points=behaviour.points,
        seconds=round(call.duration, 4), read=f"{lab.reading}#{behaviour.read}",
    )  # fmt: skip
    error = call.excinfo.value if call.excinfo else None
    if error is None:
        return base.but(state="passed", earned=behaviour.points)
    slip = _slip(error, observed)
    if slip is not None:
        return _record_of_exception(base, lab, behaviour, slip)
    if isinstance(error, Unexpected):
        found = cause(error.raised, lab) if error.raised else cause_of_failure(lab, behaviour.id, error.got)
        return base.but(state="failed", got=error.got, expected=error.expected, why=found or error.why)
    if isinstance(error, SubmissionRaised):
        return _record_of_exception(base, lab, behaviour, error.raised)
    if isinstance(error, pytest.fail.Exception) and str(error).startswith("Timeout"):
        return _timed_out(base, TIMEOUT, "", LOOP)
    return base.but(
        state="failed", got=f"{type(error).__name__}: {error}", expected="a value that can be judged", why=FORM
    )


def _slip(error: BaseException, observed: list[object]) -> Raised | None:
    """The exception of the code under test that a scenario caught, if that is what the test stumbled over."""
    if isinstance(error, SubmissionRaised | pytest.fail.Exception):
        return None
    if isinstance(error, Unexpected):
        return next((one for one in raised_in(observed) if one.type in SLIPS and one.type not in error.got), None)
    return next(raised_in(observed), None)


def _record_of_exception(base: Record, lab: Lab, behaviour: Behaviour, raised: Raised) -> Record:
    stub_step = lab.stub_messages().get(raised.message) if raised.type == "NotImplementedError" else None
    if stub_step == behaviour.step:
        return base.but(state="todo", needs=raised.message)
    if stub_step is not None:
        return base.but(state="blocked", needs=raised.message)
    if raised.type == MissingName.__name__:
        return base.but(
            state="failed", got=raised.message, expected=EVERY_NAME, why="the tests call your functions by their names"
        )
    by_pytest = raised.type == "Failed" and raised.message.startswith("Timeout")  # pytest-timeout's
    if by_pytest:
        return _timed_out(base, TIMEOUT, raised.where, LOOP)
    if raised.type == RANK_TIMEOUT:
        return _timed_out(base, DEADLINE, raised.where, DEADLOCK)
    return base.but(state="failed", got=str(raised), expected=NO_EXCEPTION, why=cause(raised, lab))


def _timed_out(base: Record, limit: float, where: str, why: str) -> Record:
    got = f"no answer within {limit:g} s{f', {where}' if where else ''}"
    return base.but(state="timeout", got=got, expected="an answer", why=why)
