"""What may be told of tests outside of a page: names and points, and in lines of plain text what failed and why."""

from collections.abc import Iterable
from dataclasses import dataclass

from labkit.course.lab import Lab
from labkit.course.records import LOST, Record, State
from labkit.course.screen import CONTROLS, visible
from labkit.grade.results import Result
from labkit.judge.lines import failure_lines, grader_error_lines
from labkit.judge.summary import UNJUDGED

ENDED = "no points: grading ended before this test"


@dataclass(frozen=True)
class Told:
    """A test as other systems show it. `state` is None if it did not run; what a hidden one `says` is nothing."""

    step: int
    name: str
    points: int
    earned: int = 0
    state: State | None = None
    says: str = ""

    @property
    def judged(self) -> bool:
        """Whether its points count: those of a test that did not run do, as not earned."""
        return self.state not in UNJUDGED

    @property
    def passed(self) -> bool:
        return self.state == State.PASSED


def every_test(lab: Lab, result: Result) -> list[Told]:
    """All tests of the lab in its order, then those that its manifest does not name. Of those that did not run, the
    first says why, if that is known.
    """
    secret = hidden(lab, result.records)
    given = {record.id: record for record in result.records}
    tests: list[Told] = []
    why = f" ({visible(result.reason)})" if result.reason else ""
    for one in lab.behaviours:
        if one.id in given:
            tests.append(_told(given.pop(one.id), one.hidden))
        else:
            tests.append(Told(one.step, _name(one.id, one.hidden), one.points, says=f"{ENDED}{why}"))
            why = ""
    return tests + [_told(record, record.id in secret) for record in given.values()]


def counted(lab: Lab, result: Result) -> list[Told]:
    """The tests whose points count."""
    return [one for one in every_test(lab, result) if one.judged]


def hidden(lab: Lab, records: Iterable[Record]) -> set[str]:
    """The tests that are the instructor's own: those that the lab's manifest does not name, or names as such."""
    return {record.id for record in records} - {behaviour.id for behaviour in lab.behaviours if not behaviour.hidden}


def public(lab: Lab, records: Iterable[Record]) -> list[Record]:
    """Those of which more may be told than their names and points."""
    records = list(records)
    secret = hidden(lab, records)
    return [record for record in records if record.id not in secret]


def _told(record: Record, secret: bool) -> Told:
    says = "" if secret else _explained(record)
    return Told(record.step, _name(record.id, secret), record.points, record.earned, record.state, says)


def _name(test: str, secret: bool) -> str:
    return test.removeprefix("test_").replace("_", " ") + (" (hidden)" if secret else "")


def _explained(record: Record) -> str:
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
