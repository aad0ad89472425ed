"""The record of one behaviour: what a graded run writes, and all that proof and status read."""

from dataclasses import dataclass, replace

LOST = ("failed", "timeout")  # the states of a test that gave a verdict, and not a good one


@dataclass(frozen=True)
class Record:
    """The verdict on one behaviour.

    `state` is passed, failed, timeout, todo (its own step's stub answered) or blocked (it needs another step's stub;
    `needs` is the stub's message). `got`, `expected`, `why` and `read` are the four lines of a failure;
    `note` is what a test has to say when it passes.
    """

    lab: str
    id: str
    step: int
    points: int
    seconds: float
    read: str
    state: str = ""
    earned: int = 0
    got: str = ""
    expected: str = ""
    why: str = ""
    needs: str = ""
    note: str = ""

    def but(self, **changes: object) -> "Record":
        return replace(self, **changes)
