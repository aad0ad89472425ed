"""Puts the tests of a suite to the answers of a proof."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from labkit.course.manifest import Lab
from labkit.course.processes import usable_cores
from labkit.course.records import LOST, Record
from labkit.judge import many
from labkit.judge.diagnosis import symptom
from labkit.judge.many import Judged
from labkit.proof.bank import Answer

HAND = 8  # answers that one process supervises


@dataclass(frozen=True)
class Job:
    """An answer, the seed of its inputs, and the tests that are put to it, in this order.

    `until_lost` ends it with the first test that it loses.
    """

    answer: Answer
    seed: int
    tests: tuple[str, ...]
    until_lost: bool = False


@dataclass(frozen=True)
class Graded:
    """The records of a job: its tests', in the order in which they ran; `error` says why there are none."""

    job: Job
    records: tuple[Record, ...]
    error: str = ""

    @property
    def answer(self) -> Answer:
        return self.job.answer

    @property
    def states(self) -> dict[str, str]:
        return {record.id: record.state for record in self.records}

    @property
    def passed(self) -> list[str]:
        return [record.id for record in self.records if record.state == "passed"]

    @property
    def lost(self) -> list[str]:
        return [record.id for record in self.records if record.state in LOST]

    @property
    def symptoms(self) -> dict[str, str]:
        """How each lost test was lost."""
        return {record.id: symptom(record) for record in self.records if record.state in LOST}


def grade(lab: Lab, jobs: Iterable[Job], progress: Callable[[Graded], None] = lambda graded: None) -> list[Graded]:
    """The suite's verdicts on every job, in the order of the jobs, from as many processes as there are cores.

    There are twice as many where the lab has ranks, which wait for each other a third of the time.

    Raises:
        LabError: the suite cannot be collected.
    """
    jobs = list(jobs)
    results: dict[int, Graded] = {}

    def take(index: int, judged: Judged) -> None:
        results[index] = Graded(jobs[index], judged.records, judged.error)
        progress(results[index])

    put = [many.Job(job.answer.options() | {"seed": str(job.seed)}, job.tests, job.until_lost) for job in jobs]
    workers = usable_cores() * (2 if any(step.ranks > 1 for step in lab.steps) else 1)
    many.judge_many(lab, put, take, hand=HAND, workers=workers)
    return [results[index] for index in range(len(jobs))]
