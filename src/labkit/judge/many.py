"""Judges many submissions quickly: pytest starts and collects the suite once, and every submission gets a fork of that.

So a submission costs its tests and 0.1 s, and finds nothing that another has left. The process that forks only imports
and collects: threads that it had started would hang its children, so nothing here computes with torch.

Where the judge supervises, it forks once more for the code under test. The process in between then loads no submission
either, and supervises a hand of them, one after the other.
"""

import contextlib
import io
import json
import math
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from labkit.course.errors import LabError
from labkit.course.files import write_json
from labkit.course.manifest import Lab
from labkit.course.processes import usable_cores
from labkit.course.records import LOST, Record
from labkit.judge import plugin
from labkit.judge.graded import GradedSuite
from labkit.judge.suite import LEAN, import_once
from labkit.observe.child import TIME_LIMIT, run_forked
from labkit.observe.isolation import Level
from labkit.observe.template import NotStarted, Template

# Each child writes its own file: pytest's capturing would share one among all.
QUIET = (*LEAN, "-q", "--capture=no")


@dataclass(frozen=True)
class Job:
    """The suite's options for a submission, without their dashes, and the tests that are put to it, in this order.

    `until_lost` ends it with the first test that it loses.
    """

    options: dict[str, Any]
    tests: tuple[str, ...]
    until_lost: bool = False


@dataclass(frozen=True)
class Judged:
    """The records of a job: its tests', in the order in which they ran; `error` says why there are none.

    `ended` is False where the process that judges came to no end of its own. `isolation` is the level it reached,
    `seconds` how long it took, with the jobs that the process judged before and after it, if any.
    """

    records: tuple[Record, ...] = ()
    error: str = ""
    ended: bool = True
    isolation: str = "none"
    seconds: float = 0.0


Take = Callable[[int, Judged], None]


def judge_many(
    lab: Lab,
    jobs: Sequence[Job],
    take: Take,
    hand: int = 1,
    workers: int | None = None,
    limit: float = TIME_LIMIT,
    so_far: Take | None = None,
    apart: bool = False,
) -> None:
    """Hands `take` the number of every job and the suite's verdicts on it, as they end; `so_far` gets those that there
    are after each test, in the process that judges.

    `workers` processes run at once, by default as many as there are cores; each judges at most a `hand` of jobs before
    the verdicts on them are taken, fewer where some workers would have none. `limit` (s) is for each job.
    `apart`: workers do not share cores, as long as there are enough.

    Raises:
        LabError: the suite cannot be collected.
        Whatever `take` raises; no process is left then.
    """
    if not jobs:
        return
    sandboxed = any(job.options.get("isolation", Level.NONE) != Level.NONE for job in jobs)
    output = io.StringIO()
    with Template(lab) if sandboxed else contextlib.nullcontext() as template:  # it imports while this process does
        import_once(lab)
        batch = _Batch(jobs, take, hand, workers or usable_cores(), limit, so_far, apart, template)
        with contextlib.redirect_stdout(output):
            code = pytest.main([str(lab.paths.suite), *QUIET], plugins=[batch])
    if batch.error is not None:
        raise batch.error
    if code == pytest.ExitCode.INTERRUPTED and not batch.failed:
        raise KeyboardInterrupt
    if not batch.collected:
        raise LabError(f"the suite {lab.paths.suite} cannot be collected:\n{output.getvalue()[-2000:]}")


@dataclass(eq=False)
class _Batch:
    """A pytest plugin that runs every job in a fork of the session, as soon as that has collected the suite."""

    jobs: Sequence[Job]
    take: Take
    hand: int
    workers: int
    limit: float
    so_far: Take | None
    apart: bool
    template: Template | None
    collected: bool = False
    failed: bool = False  # to collect it
    error: BaseException | None = None
    running: int | None = None  # the number of the job in this process
    records: Sequence[Record] = ()  # of that

    @pytest.hookimpl(tryfirst=True)
    def pytest_collection_modifyitems(
        self, session: pytest.Session, config: pytest.Config, items: list[pytest.Item]
    ) -> None:
        self.failed = bool(session.testsfailed)
        if self.running is not None or self.failed:
            return
        try:
            self.collected = True
            self._judge_all(session, list(items))
        except BaseException as error:  # pytest would print it; `judge_many` raises it again
            self.error = error
        items.clear()  # this session itself runs nothing

    def _judge_all(self, session: pytest.Session, items: list[pytest.Item]) -> None:
        most = self.hand if plugin.can_supervise(session.config) else 1
        size = max(1, min(most, len(self.jobs) // self.workers))
        count = math.ceil(len(self.jobs) / size)
        hands = [range(len(self.jobs))[start::count] for start in range(count)]
        if self.template is not None:
            with contextlib.suppress(NotStarted):  # which every job then says
                self.template.wait()
        with tempfile.TemporaryDirectory(prefix="labkit-judge-") as folder:
            scratch = Path(folder)

            def run(hand: int) -> None:
                tempfile.tempdir = folder  # what its ranks leave, which end with it, goes with the folder
                (scratch / f"start-{hand}").write_text(str(time.monotonic()))
                for index in hands[hand]:
                    self.running, report = index, scratch / f"report-{index}.json"
                    options = self.jobs[index].options | {"json": str(report), "template": self.template}
                    self.records = _set_up(session.config, options)
                    _run(session, items, self.jobs[index].tests, report)

            for hand, output in run_forked(run, len(hands), scratch, self.limit * size, self.workers, self.apart):
                start = scratch / f"start-{hand}"
                seconds = time.monotonic() - float(start.read_text()) if start.exists() else 0.0
                for index in hands[hand]:
                    judged = _judged(scratch / f"report-{index}.json", output)
                    self.take(index, replace(judged, seconds=seconds))

    @pytest.hookimpl(trylast=True)
    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        record = getattr(report, "record", None)
        if self.running is None or record is None:
            return
        if self.so_far is not None:
            self.so_far(self.running, Judged(tuple(self.records)))
        if self.jobs[self.running].until_lost and record.state in LOST:
            raise pytest.Session.Failed("it has lost a test, and that is enough")


def _judged(report: Path, output: str) -> Judged:
    if not report.exists():
        *_, last = ["no verdicts", *output.strip().splitlines()]
        return Judged(error=last, ended=False)
    found = json.loads(report.read_text())
    report.unlink()
    records = tuple(Record.of(record) for record in found.get("records", ()))
    return Judged(records, found.get("error", ""), isolation=found.get("isolation", "none"))


def _set_up(config: pytest.Config, options: Mapping[str, object]) -> Sequence[Record]:
    """As if the session had been started with the options; the list to which it will add its records."""
    for name, value in options.items():
        setattr(config.option, name, value)
    config.pluginmanager.unregister(name="graded-suite")
    plugin.pytest_configure(config)  # it reads the options when it is made
    return _suite(config).records


def _suite(config: pytest.Config) -> GradedSuite:
    hooks: Any = config.pluginmanager.get_plugin("graded-suite")
    return hooks.suite


def _run(session: pytest.Session, items: list[pytest.Item], tests: Sequence[str], report: Path) -> None:
    """Goes on with the collected session as if it had been started with these tests alone."""
    config = session.config
    of_test: dict[str, list[pytest.Item]] = {}
    for item in items:
        of_test.setdefault(item.name.partition("[")[0], []).append(item)
    session.items = [item for test in tests for item in of_test.get(test, ())]
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
    finally:
        _suite(config).close()  # this process ends without an end of the session
