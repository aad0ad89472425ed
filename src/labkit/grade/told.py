"""What may be told of a record outside of a page: its name, and in lines of plain text what failed and why."""

from collections.abc import Iterable

from labkit.course.lab import Lab
from labkit.course.records import LOST, Record, State
from labkit.course.screen import CONTROLS
from labkit.judge.lines import failure_lines, grader_error_lines


def hidden(lab: Lab, records: Iterable[Record]) -> set[str]:
    """The tests that are the instructor's own: those that the lab's manifest does not name, or names as such."""
    return {record.id for record in records} - {behaviour.id for behaviour in lab.behaviours if not behaviour.hidden}


def title(test: str) -> str:
    return test.removeprefix("test_").replace("_", " ")


def explained(record: Record) -> str:
    """What failed and why, "" where there is nothing to say: lines without any control character."""
    if record.state in LOST:
        lines = [line.text.strip() for line in failure_lines(record)[1:]]
    elif record.state == State.GRADER_ERROR:
        lines = [line.text.strip() for line in grader_error_lines(record)[1:]]
    elif record.state in (State.TODO, State.BLOCKED):
        lines = [f"not written yet: {record.needs}"]
    elif record.state == State.SKIPPED:
        lines = [f"skipped, no points lost: needs {record.needs}"]
    else:
        lines = record.note.splitlines()
    return "\n".join(CONTROLS.sub("", line) for line in lines)
