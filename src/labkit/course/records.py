"""The record of one behaviour: what a graded run writes, and all that proof and status read."""

from dataclasses import dataclass, fields, replace

LOST = ("failed", "timeout", "memory", "crashed", "malformed")  # a verdict, and no good one
NO_EXCEPTION = "no exception"  # expected where the code under test raised
EVERY_NAME = "every name that the lab asks for"  # expected where one is missing


@dataclass(frozen=True)
class Record:
    """The verdict on one behaviour.

    `state` is passed, failed, timeout, todo (its own step's stub answered) or blocked (it needs another step's stub;
    `needs` is the stub's message). `got`, `expected`, `why` and `read` are the four lines of a failure;
    `note` is what a test has to say when it passes, `printed` the last of what the code printed where it failed.
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
    printed: str = ""

    @classmethod
    def of(cls, data: dict[str, object]) -> "Record":
        """The record that was written as `data`; raises TypeError if it is one of another version."""
        record = cls(**data)
        for field in fields(cls):
            if not isinstance(getattr(record, field.name), field.type):
                raise TypeError(f"{field.name}: {getattr(record, field.name)!r} is no {field.type.__name__}")
        return record

    @property
    def is_slip(self) -> bool:
        """Whether Python stopped the code, before it could be wrong about the subject of the lab."""
        stopped = self.expected == NO_EXCEPTION and not self.got.startswith("RuntimeError")
        return stopped or self.expected == EVERY_NAME

    def but(self, **changes: object) -> "Record":
        return replace(self, **changes)
