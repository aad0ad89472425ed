"""What the results of a class say to its teacher: who is where, what most misunderstood, what a new grading changed."""

import statistics
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from functools import cached_property

from labkit.course.lab import Behaviour, Lab, Step
from labkit.course.records import LOST, NO_EXCEPTION, Record, State
from labkit.grade.results import Outcome, Result, Standing
from labkit.grade.told import public
from labkit.judge.diagnosis import Misconception, looks_like, symptom
from labkit.report.rows import Row, StepRow, step_rows

BARS = 10  # of the distribution


@dataclass(frozen=True)
class Student:
    """A submission that gave verdicts."""

    result: Result
    steps: list[StepRow]

    @property
    def stuck_at(self) -> StepRow | None:
        """The first step in which something is left to do; what could not be judged is not."""
        return next((row for row in self.steps if row.earned < row.worth), None)

    @property
    def wrong(self) -> list[StepRow]:
        """The steps whose failures follow from no other."""
        return [row for row in self.steps if not row.may_follow]


@dataclass(frozen=True)
class Bar:
    """How many have between `low` and `high` points."""

    low: int
    high: int
    count: int


@dataclass(frozen=True)
class Misunderstood:
    """Known mistakes that look alike, those whose failures they explain, and what helps."""

    step: Step
    sentences: tuple[str, ...]
    shown_by: Behaviour  # the test that tells it best: the first of those that the mistake fails
    surely: list[Result] = field(default_factory=list)
    perhaps: list[Result] = field(default_factory=list)

    @property
    def students(self) -> list[Result]:
        return [*self.surely, *self.perhaps]


@dataclass(frozen=True)
class Unexplained:
    """A failure of one step that several have, and no known mistake explains: what it `says`, and its tests."""

    step: Step
    says: str
    students: list[Result]
    tests: list[str]
    read: str


@dataclass(frozen=True)
class Change:
    """What a new grading changed for a submission: points, and tests that it now passes or no longer does."""

    standing: Standing
    gained: list[str]
    lost: list[str]

    @property
    def points(self) -> int:
        return self.standing.result.points - (self.standing.earlier.points if self.standing.earlier else 0)


class Classroom:
    """All submissions of a lab, and the answers to a teacher's questions."""

    def __init__(self, lab: Lab, standings: Sequence[Standing], known: list[Misconception]) -> None:
        self.lab, self.standings, self.known = lab, standings, known
        self.results = [standing.result for standing in standings]
        self.students = sorted(
            (Student(result, step_rows(lab, list(result.records))) for result in self.results if _judged(result)),
            key=lambda student: (-student.result.points, student.result.submission),
        )

    def ended(self, outcome: Outcome) -> list[Result]:
        return [result for result in self.results if result.state == outcome]

    @property
    def without_verdicts(self) -> list[Result]:
        """Those of which nothing is known but a reason."""
        return [result for result in self.results if not _judged(result)]

    # How did the class do -----------------------------------------------------------------------------------------

    @property
    def most(self) -> int:
        """The points that could be earned."""
        return max((result.max_points for result in self.results), default=self.lab.points)

    @property
    def points(self) -> list[int]:
        return [student.result.points for student in self.students]

    @property
    def median(self) -> float:
        return statistics.median(self.points)

    def bars(self) -> list[Bar]:
        """The distribution of points, in at most `BARS` ranges of about the same width; the last has the maximum."""
        bars = min(BARS, self.most)
        counts = Counter(min(bars - 1, points * bars // self.most) for points in self.points)
        ranges: dict[int, list[int]] = defaultdict(list)
        for points in range(self.most + 1):
            ranges[min(bars - 1, points * bars // self.most)].append(points)
        return [Bar(inside[0], inside[-1], counts[index]) for index, inside in sorted(ranges.items())]

    # Where --------------------------------------------------------------------------------------------------------

    def whole(self) -> list[Row]:
        """Each step, with the records of all."""
        return [Row([record for student in self.students for record in student.steps[index].records])
                for index in range(len(self.lab.steps))]  # fmt: skip

    def stuck(self, step: Step) -> dict[str, list[Result]]:
        """Who has this step as the first that is not complete: with failures, or with stubs alone."""
        found: dict[str, list[Result]] = {"fails tests": [], "not written yet": []}
        for student in self.students:
            row = student.stuck_at
            if row is not None and row.step == step:
                fails = any(record.state in LOST for record in row.records)
                found["fails tests" if fails else "not written yet"].append(student.result)
        return found

    def finished(self) -> list[Result]:
        return [student.result for student in self.students if student.stuck_at is None]

    # What did they misunderstand ----------------------------------------------------------------------------------

    @cached_property
    def _diagnoses(self) -> tuple[list[Misunderstood], set[tuple[str, int]]]:
        """What is explained, and by whose submission and in which step."""
        found: dict[tuple[int, tuple[str, ...]], Misunderstood] = {}
        explained: set[tuple[str, int]] = set()
        for student in self.students:
            for row in student.wrong:
                exact, alike = looks_like(public(self.lab, row.records), self.known)
                if not alike:
                    continue
                key = row.step.number, tuple(one.name for one in alike)
                if key not in found:
                    test = next(one for one in self.lab.behaviours if one.step == row.step.number
                                and any(one.id in mistake.fails for mistake in alike))  # fmt: skip
                    found[key] = Misunderstood(row.step, tuple(one.says for one in alike), test)
                (found[key].surely if exact else found[key].perhaps).append(student.result)
                explained.add((student.result.submission, row.step.number))
        return sorted(found.values(), key=lambda one: (-len(one.students), one.step.number)), explained

    def misunderstood(self) -> list[Misunderstood]:
        """The known mistakes, those that most made first."""
        return self._diagnoses[0]

    def unexplained(self) -> list[Unexplained]:
        """What at least two failed alike in a step that no known mistake explains, the most frequent first."""
        explained = self._diagnoses[1]
        found: dict[tuple[int, str], list[tuple[Result, Record]]] = defaultdict(list)
        for student in self.students:
            for row in student.wrong:
                if (student.result.submission, row.step.number) not in explained:
                    for record in public(self.lab, row.records):
                        if record.state in LOST:
                            found[row.step.number, _says(record)].append((student.result, record))
        groups = [
            Unexplained(
                self.lab.step(number),
                says,
                list({result.submission: result for result, _ in pairs}.values()),
                list(dict.fromkeys(record.id for _, record in pairs)),
                pairs[0][1].read,
            )
            for (number, says), pairs in found.items()
        ]
        several = [group for group in groups if len(group.students) > 1]
        return sorted(several, key=lambda group: (-len(group.students), group.step.number, group.says))

    # What changed -------------------------------------------------------------------------------------------------

    def regraded(self) -> int:
        return sum(standing.earlier is not None for standing in self.standings)

    def changes(self) -> list[Change]:
        """The submissions whose points, tests or outcome are not what they were: the largest losses first."""
        found = [
            _change(standing, standing.earlier)
            for standing in self.standings
            if standing.earlier is not None and standing.result.state != Outcome.GRADER_ERROR
        ]
        return sorted(
            (one for one in found if one is not None), key=lambda one: (one.points, one.standing.result.submission)
        )


def _judged(result: Result) -> bool:
    """Whether its points say something about the student; those that the course's own machinery cut short do not."""
    return bool(result.records) and result.state != Outcome.GRADER_ERROR


def _change(standing: Standing, earlier: Result) -> Change | None:
    now = standing.result
    before, after = _passed(earlier.records), _passed(now.records)
    gained = [record.id for record in now.records if record.id in after - before]
    lost = [record.id for record in earlier.records if record.id in before - after]
    same = now.points == earlier.points and now.state == earlier.state
    return None if same and not gained and not lost else Change(standing, gained, lost)


def _says(record: Record) -> str:
    """What failures that are alike have in common: an exception and its message, or the likely cause."""
    return symptom(record) if record.expected == NO_EXCEPTION else record.why


def _passed(records: Iterable[Record]) -> set[str]:
    return {record.id for record in records if record.state == State.PASSED}
