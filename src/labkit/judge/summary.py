"""What the records of a run come to: points, how many tests are in which state, and the one next thing to do.

`judge.lines` writes it for a terminal. Nothing here imports torch or pytest: `make status` must not wait for them.
"""

from collections import Counter
from collections.abc import Collection, Iterable
from dataclasses import dataclass

from labkit.course.errors import LabError
from labkit.course.manifest import Behaviour, Lab
from labkit.course.records import LOST, Record, State
from labkit.judge.diagnosis import diagnose, misconceptions

# The states in the order in which they are counted, and the words for them.
WORDS = {
    State.PASSED: "passed",
    State.FAILED: "failed",
    State.TIMEOUT: "timeout",
    State.MEMORY: "out of memory",
    State.CRASHED: "crashed",
    State.MALFORMED: "malformed",
    State.GRADER_ERROR: "not judged",
    State.TODO: "todo",
    State.BLOCKED: "blocked",
    State.SKIPPED: "skipped",
}
UNJUDGED = (State.SKIPPED, State.GRADER_ERROR)  # states that say nothing about the student's code
SETTLED = (State.PASSED, *UNJUDGED)  # states in which nothing is left for the student to do


@dataclass(frozen=True)
class Score:
    """What some behaviours came to.

    `worth` leaves out what could not be judged here, and counts what was not run. `missing` has the points that a
    package would give the chance of, by its name.
    """

    earned: int
    worth: int
    states: tuple[str, ...]
    missing: dict[str, int]

    @classmethod
    def of(cls, behaviours: Iterable[Behaviour], records: Iterable[Record]) -> "Score":
        found = {record.id: record for record in records}
        counts: Counter[State | None] = Counter()
        missing: Counter[str] = Counter()
        earned = worth = 0
        for behaviour in behaviours:
            record = found.get(behaviour.id)
            counts[record.state if record else None] += 1
            if record and record.state == State.SKIPPED:
                missing[record.needs or "another package"] += behaviour.points
            elif not record or record.state not in UNJUDGED:
                worth += behaviour.points
            earned += record.earned if record else 0
        found_states = [
            f"{counts[state]} {word}" for state, word in (WORDS | {None: "not run"}).items() if counts[state]
        ]
        return cls(earned, worth, tuple(found_states), dict(missing))

    @property
    def whole(self) -> bool:
        """Whether every point that can be had here is earned."""
        return self.earned == self.worth

    def more(self) -> str:
        """What missing packages keep from being judged: "66 more with deepspeed"."""
        return "".join(f", {number} more with {name}" for name, number in self.missing.items())


def asked_of(lab: Lab, step: int | None = None, names: Collection[str] | None = None) -> list[Behaviour]:
    """The behaviours of a run: those of a step, or of `names`, or all of them."""
    return [
        one for one in lab.behaviours if (not step or one.step == step) and (names is None or one.id in names)
    ]  # fmt: skip


def states(records: list[Record]) -> str:
    """How many tests are in which state: "15 passed, 5 failed"."""
    counts = Counter(record.state for record in records)
    return ", ".join(f"{counts[state]} {word}" for state, word in WORDS.items() if counts[state])


def diagnosis_of(lab: Lab, records: list[Record]) -> str:
    """What the failures look like; what is wrong with the known misconceptions, where they cannot be read."""
    try:
        return diagnose(records, misconceptions(lab))
    except LabError as error:
        return str(error)


def failing_before(lab: Lab, step: int, records: Iterable[Record]) -> int | None:
    """The step from which the failures of `step` may follow; None where it has none, or they are its own."""
    failing = {record.step for record in records if record.state in LOST}
    return lab.cause_before(step, failing) if step in failing else None


def next_record(records: list[Record]) -> Record | None:
    """The one record to work on now: of the first step that is not passed, a failure before what is not written."""
    open_records = [record for record in records if record.state not in SETTLED]
    return min(open_records, key=lambda record: (record.step, record.state not in LOST), default=None)


def next_thing(lab: Lab, record: Record, path: str) -> str:
    """What to do about `record`: "step 2, write scaled_backward in src/mixed_precision.py"."""
    if record.state in (State.TODO, State.BLOCKED):
        return f"step {needed_step(lab, record)}, write {record.needs.partition(': ')[2]} in {path}"
    return f"step {record.step}, fix what {record.id} shows"


def to_read(lab: Lab, record: Record) -> str:
    """Where the reading explains `record`: what a test asks, or its step while that is not written."""
    return record.read if record.state in LOST else f"{lab.reading}#{lab.step(record.step).read}"


def help_for(lab: Lab, record: Record) -> str:
    """The commands that help with `record`."""
    hint = f"make hint-{lab.name} STEP={needed_step(lab, record)}"
    if record.state not in LOST:
        return hint
    return f"{hint}, or why it matters: make explain-{lab.name} TEST={record.id.removeprefix('test_')}"


def needed_step(lab: Lab, record: Record) -> int:
    """The step in which something has to be written for `record` to pass: another's, where it is blocked by a stub."""
    return lab.stub_messages().get(record.needs, record.step)


def points(number: int) -> str:
    return "1 point" if number == 1 else f"{number} points"
