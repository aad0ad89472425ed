"""How a scenario ended, and with what: all that a backend of `observe` gives."""

import json
import signal
from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any

import torch

from labkit.course.records import NOT_RUN, OVER
from labkit.observe.child import how_it_ended
from labkit.observe.deadline import OutOfTime
from labkit.observe.values import MESSAGE, Json, NotAValue, Raised, decode, encode, parse

PRINTED = 2000  # characters of what the code printed that are kept, the last ones


class Ending(StrEnum):
    """How a scenario ended. `machinery`: it was not the code under test that failed."""

    RETURNED = "returned"
    RAISED = "raised"
    TIMEOUT = "timeout"
    MEMORY = "memory"
    CRASHED = "crashed"
    MALFORMED = "malformed"
    MACHINERY = "machinery"


# Which of several ranks is the cause: one that only waited for another one, or gave no value as that one died, is not.
CAUSES_FIRST = (
    Ending.MACHINERY, Ending.MEMORY, Ending.CRASHED, Ending.RAISED, Ending.MALFORMED, Ending.TIMEOUT, Ending.RETURNED
)  # fmt: skip


@dataclass(frozen=True)
class Answer:
    """What a scenario gave.

    `value` if it returned, `raised` if it raised. Of another ending `says` tells what happened, and `where` the line of
    the lab file at which it was ("line 12: text"), as far as that is known.
    """

    value: Any = None
    ending: Ending = Ending.RETURNED
    raised: Raised | None = None
    says: str = ""
    where: str = ""
    printed: str = ""
    seconds: float = 0.0

    @classmethod
    def of(cls, value: object) -> "Answer":
        """What came back through `values`: an exception that came back in place of a value is one that was raised."""
        if isinstance(value, Raised):
            return cls(ending=Ending.RAISED, raised=value)
        return cls(value)

    @classmethod
    def of_error(cls, error: BaseException, where: str = "") -> "Answer":
        """The answer of code under test that raised `error`."""
        if isinstance(error, OutOfTime):
            return cls(ending=Ending.TIMEOUT, says=str(error), where=where)
        raised = Raised.of(error, where)
        if isinstance(error, MemoryError | torch.OutOfMemoryError):
            return cls(ending=Ending.MEMORY, says=f"out of memory ({raised.message or raised.type})", where=where)
        return cls(ending=Ending.RAISED, raised=raised)

    @classmethod
    def malformed(cls, error: NotAValue) -> "Answer":
        return cls(ending=Ending.MALFORMED, says=f"returned {error}")

    @classmethod
    def decode(cls, data: Json, device: str = "cpu") -> "Answer":
        """The answer with the value that `encode` gave as `data`; `malformed` if it is none."""
        try:
            return cls.of(decode(data, device))
        except NotAValue as error:
            return cls.malformed(error)

    def dump(self) -> bytes:
        """The answer as JSON; that of a value which may not cross is `malformed`."""
        try:
            value, raised = encode(self.value), encode(self.raised)
        except NotAValue as error:
            return Answer.malformed(error).dump()
        parts = {"ending": self.ending, "says": self.says, "where": self.where, "printed": self.printed[-PRINTED:]}
        return json.dumps([parts, self.seconds, raised, value]).encode()

    @classmethod
    def load(cls, text: bytes, trusted: bool = False) -> "Answer":
        """The answer that another process gave as `text`; `malformed` if it is none.

        Only a process that is `trusted`, as it runs no submission, can say that the machinery failed.
        """
        try:
            parts, seconds, raised, value = _whole(parse(text))
            answer = cls(
                decode(value), Ending(parts["ending"]), decode(raised), parts["says"][:MESSAGE],
                parts["where"][:MESSAGE], parts["printed"][-PRINTED:], float(seconds),
            )  # fmt: skip
            raised_it = answer.ending == Ending.RAISED
            if not (isinstance(answer.raised, Raised) if raised_it else answer.raised is None):
                raise NotAValue("an exception in place of a value")
            if not all(type(text) is str for text in (answer.says, answer.where, answer.printed)):
                raise NotAValue("texts that are none")
            if (answer.ending == Ending.MACHINERY or answer.says.startswith((NOT_RUN, OVER))) and not trusted:
                raise NotAValue("what only the grader can say")
            return answer
        except NotAValue as error:
            return cls.malformed(error)
        except (ValueError, TypeError, KeyError, OverflowError):
            return cls.malformed(NotAValue("something else than an answer"))

    def but(self, **changes: Any) -> "Answer":
        return replace(self, **changes)


def crashed(code: int | None) -> Answer:
    """The answer of a process that ended with this exit code in place of answering; None: it only cut itself off."""
    how = "or cut it off from the tests" if code is None else how_it_ended(code)
    killed = code == -signal.SIGKILL  # by nobody here
    says = f"your code ended Python itself ({how}{': the system does so if memory is short' if killed else ''})"
    return Answer(ending=Ending.MEMORY if killed else Ending.CRASHED, says=says)


def _whole(data: Json) -> Sequence[Json]:
    if type(data) is not list or len(data) != 4 or type(data[0]) is not dict:
        raise NotAValue("something else than an answer")
    return data


def joined(answers: list[Answer]) -> Answer:
    """The one answer of several ranks: the list of their values, or how the one ended that is the cause."""
    cause = min(answers, key=lambda answer: CAUSES_FIRST.index(answer.ending))
    if cause.ending == Ending.RETURNED:
        cause = cause.but(value=[answer.value for answer in answers])
    return cause.but(seconds=max(answer.seconds for answer in answers))
