"""The record of one behaviour: what a graded run writes, and all that proof and status read."""

from dataclasses import dataclass, fields, replace
from enum import StrEnum
from typing import Any


class State(StrEnum):
    """How a behaviour stands. A `grader_error` is a fault of suite or machinery, and never the student's."""

    PASSED = "passed"
    FAILED = "failed"
    TODO = "todo"  # its own step's stub answered
    BLOCKED = "blocked"  # it needs another step's stub
    TIMEOUT = "timeout"
    MEMORY = "memory"
    CRASHED = "crashed"
    MALFORMED = "malformed"  # what came back is no value, or too much of it
    GRADER_ERROR = "grader_error"
    SKIPPED = "skipped"  # a package is missing


# The states of a test that gave a verdict, and not a good one.
LOST = (State.FAILED, State.TIMEOUT, State.MEMORY, State.CRASHED, State.MALFORMED)
# From the worst to the best: a test with several cases has the state of its worst one.
WORST_FIRST = (State.GRADER_ERROR, *LOST, State.TODO, State.BLOCKED, State.SKIPPED, State.PASSED)
NO_SANDBOX = "the sandbox does not start"  # begins what the grader says of one that has not run any submission
NOT_RUN, OVER = "not run, because ", "the run has reached its limit"  # begin what a test got that was not run
NO_EXCEPTION = "no exception"  # expected where the code under test raised
EVERY_NAME = "every name that the lab asks for"  # expected where one is missing


@dataclass(frozen=True)
class Record:
    """The verdict on one behaviour.

    `got`, `expected`, `why` and `read` are the four lines of a failure; `needs` is the message of the stub that
    answered, or the package that is missing. `note` is what a test has to say when it passes, `printed` the last of
    what the code printed where it failed. A record without a verdict is an error of the machinery.
    """

    lab: str
    id: str
    step: int
    points: int
    seconds: float
    read: str
    state: State = State.GRADER_ERROR
    earned: int = 0
    got: str = ""
    expected: str = ""
    why: str = ""
    needs: str = ""
    note: str = ""
    printed: str = ""

    def __post_init__(self) -> None:
        object.__setattr__(self, "state", State(self.state))

    @classmethod
    def of(cls, data: dict[str, Any]) -> "Record":
        """The record that was written as `data`; raises TypeError if it is one of another version."""
        try:
            record = cls(**data)
        except ValueError as error:
            raise TypeError(str(error)) from None
        for field in fields(cls):
            assert isinstance(field.type, type), "an annotation is a string only after `from __future__`"
            if not isinstance(getattr(record, field.name), field.type):
                raise TypeError(f"{field.name}: {getattr(record, field.name)!r} is no {field.type.__name__}")
        return record

    @property
    def is_slip(self) -> bool:
        """Whether Python stopped the code, before it could be wrong about the subject of the lab."""
        stopped = self.expected == NO_EXCEPTION and not self.got.startswith("RuntimeError")
        return stopped or self.expected == EVERY_NAME

    def but(self, **changes: Any) -> "Record":
        return replace(self, **changes)


def worst(cases: list[Record]) -> Record:
    """The record of a test that ran with several cases: that of its worst case, with the seconds of all."""
    record = min(cases, key=lambda case: WORST_FIRST.index(case.state))
    return record.but(seconds=round(sum(case.seconds for case in cases), 4))
