"""Grades many answers quickly: pytest starts and collects the suite once, and every answer gets a fork of that.

So an answer costs its tests and 0.1 s, and finds nothing that another has left. The process that forks only imports and
collects: threads that it had started would hang its children, so nothing here computes with torch.

Where the judge supervises, it forks once more for the code under test. The process in between then loads no answer
either, and supervises a hand of them, one after the other.
"""

import contextlib
import io
import json
import math
import tempfile
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

import pytest

from labkit.course.errors import LabError
from labkit.course.files import write_json
from labkit.course.manifest import Lab
from labkit.course.processes import usable_cores
from labkit.course.records import LOST, Record
from labkit.judge import plugin
from labkit.judge.diagnosis import symptom
from labkit.judge.suite import LEAN, import_once
from labkit.observe.child import TIME_LIMIT, run_forked
from labkit.proof.bank import Answer

# Each child writes its own file: pytest's capturing would share one among all.
QUIET = (*LEAN, "-q", "--capture=no")
HAND = 8  # answers that one process supervises; fewer where some cores would have none


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

    Raises:
        LabError: the suite cannot be collected.
    """
    jobs = list(jobs)
    if not jobs:
        return []
    import_once(lab)
    batch = _Batch(jobs, progress)
    output = io.StringIO()
    with contextlib.redirect_stdout(output):
        pytest.main([str(lab.paths.suite), *QUIET], plugins=[batch])
    if batch.error is not None:
        raise batch.error
    if batch.results is None:
        raise LabError(f"proof: the suite cannot be collected:\n{output.getvalue()[-2000:]}")
    return batch.results


class _Batch:
    """A pytest plugin that runs every job in a fork of the session, as soon as that has collected the suite."""

    def __init__(self, jobs: list[Job], progress: Callable[[Graded], None]) -> None:
        self.jobs, self.progress = jobs, progress
        self.results: list[Graded] | None = None
        self.error: BaseException | None = None
        self.job: Job | None = None  # the one that runs in this process

    @pytest.hookimpl(tryfirst=True)
    def pytest_collection_modifyitems(
        self, session: pytest.Session, config: pytest.Config, items: list[pytest.Item]
    ) -> None:
        if self.job or session.testsfailed:
            return
        try:
            self.results = self._grade_all(session, list(items))
        except BaseException as error:  # pytest would print it; `grade` raises it again
            self.error = error
        items.clear()  # this session itself runs nothing

    def _grade_all(self, session: pytest.Session, items: list[pytest.Item]) -> list[Graded]:
        results: dict[int, Graded] = {}
        size = max(1, min(HAND, len(self.jobs) // usable_cores())) if plugin.can_supervise(session.config) else 1
        indices = range(len(self.jobs))
        count = math.ceil(len(indices) / size)
        hands = [indices[start::count] for start in range(count)]
        with tempfile.TemporaryDirectory(prefix="labkit-proof-") as folder:
            scratch = Path(folder)

            def run(hand: int) -> None:
                tempfile.tempdir = folder  # what its ranks leave, which end with it, goes with the folder
                for index in hands[hand]:
                    self.job = self.jobs[index]
                    _run(session, items, self.job, scratch / f"report-{index}.json")

            for hand, output in run_forked(run, len(hands), scratch, TIME_LIMIT * size):
                for index in hands[hand]:
                    results[index] = _graded(self.jobs[index], scratch / f"report-{index}.json", output)
                    self.progress(results[index])
        return [results[index] for index in indices]

    @pytest.hookimpl(trylast=True)
    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        record = getattr(report, "record", None)
        if self.job and self.job.until_lost and record and record.state in LOST:
            raise pytest.Session.Failed("it has lost a test, and that is enough")


def _graded(job: Job, report: Path, output: str) -> Graded:
    if not report.exists():
        *_, last = ["no verdicts", *output.strip().splitlines()]
        return Graded(job, (), last)
    found = json.loads(report.read_text())
    report.unlink()
    return Graded(job, tuple(Record.of(record) for record in found.get("records", ())), found.get("error", ""))


def _run(session: pytest.Session, items: list[pytest.Item], job: Job, report: Path) -> None:
    """Goes on with the collected session as if it had been started with the job's options and tests alone."""
    config, option = session.config, session.config.option
    settings = job.answer.options() | {"seed": str(job.seed), "json": str(report)}
    for name, value in settings.items():
        setattr(option, name, value)
    config.pluginmanager.unregister(name="graded-suite")
    plugin.pytest_configure(config)  # it reads the options when it is made
    of_test: dict[str, list[pytest.Item]] = {}
    for item in items:
        of_test.setdefault(item.name.partition("[")[0], []).append(item)
    session.items = [item for test in job.tests for item in of_test.get(test, ())]
    session.testscollected, session.testsfailed = len(session.items), 0
    config.hook.pytest_collection_modifyitems(session=session, config=config, items=session.items)
    try:
        with contextlib.suppress(session.Failed):  # of `until_lost`
            config.hook.pytest_runtestloop(session=session)
        # The terminal, which has nobody to show it to, would also make the summary.
        without = [config.pluginmanager.get_plugin("terminalreporter")]
        finish = config.pluginmanager.subset_hook_caller("pytest_sessionfinish", without)
        finish(session=session, exitstatus=0)
    except pytest.UsageError as error:  # its file cannot be loaded
        write_json(report, {"error": str(error)})
