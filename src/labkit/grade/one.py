"""Grades one submission, and tells after every test what it has earned so far: a grader may be killed at any time."""

import contextlib
import io
from collections.abc import Callable
from typing import Any

import pytest

from labkit.course.records import Record
from labkit.grade import batch
from labkit.grade.batch import Setting
from labkit.grade.intake import Submission
from labkit.grade.results import Outcome, Result
from labkit.judge.many import QUIET, Judged

CUT_OFF = "grading was cut off"  # the reason of a result that another was to follow
Told = Callable[[Result], None]


def grade_one(setting: Setting, submission: Submission, told: Told) -> Result:
    """The result of the submission; `told` gets it too, and before it what is known after each test.

    The code under test runs in other processes, which may end as they like. Everything is told from this one.
    """

    def result(state: Outcome, reason: str, records: tuple[Record, ...] = ()) -> Result:
        found = batch._result(setting, "", submission, state, reason, records)
        told(found)
        return found

    if submission.reason:
        return result(Outcome.BROKEN, submission.reason)
    with batch._copies([submission]) as [folder]:

        def clean(records: tuple[Record, ...]) -> tuple[Record, ...]:
            return tuple(batch._clean_record(record, folder) for record in records)

        options = {"impl": str(folder), "seed": setting.seed_of(submission), "isolation": setting.level}
        run = _Run(options, lambda records: result(Outcome.TIMEOUT, CUT_OFF, clean(records)))
        output = io.StringIO()
        with contextlib.redirect_stdout(output):
            code = pytest.main([str(setting.lab.paths.suite), *QUIET], plugins=[run])
        judged = run.judged(code, output.getvalue())
        state, reason = batch._outcome(setting, judged)
        return result(state, batch._clean(reason, folder), clean(judged.records))


class _Run:
    """A pytest plugin that sets options, tells of the records after each, and knows why there are none."""

    def __init__(self, options: dict[str, str], told: Callable[[tuple[Record, ...]], object]) -> None:
        self.options, self.told = options, told
        self.suite: Any = None  # the GradedSuite
        self.refused = ""
        self.seen = 0

    @pytest.hookimpl(tryfirst=True)
    def pytest_collection_modifyitems(self, config: pytest.Config) -> None:
        for name, value in self.options.items():
            setattr(config.option, name, value)
        hooks: Any = config.pluginmanager.get_plugin("graded-suite")
        self.suite = hooks.suite

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtestloop(self) -> Any:
        try:
            return (yield)
        except pytest.UsageError as error:  # its file cannot be loaded
            self.refused = str(error)
            raise

    @pytest.hookimpl(trylast=True)
    def pytest_runtest_logreport(self) -> None:
        if len(self.suite.records) > self.seen:
            self.seen = len(self.suite.records)
            self.told(tuple(self.suite.records))

    def judged(self, code: int, output: str) -> Judged:
        """The verdicts, or why there are none."""
        if self.refused:
            return Judged(error=self.refused)
        if code not in (pytest.ExitCode.OK, pytest.ExitCode.TESTS_FAILED):
            *_, last = ["no verdicts", *output.strip().splitlines()]
            return Judged(error=last, ended=False)
        return Judged(tuple(self.suite.records), isolation=self.suite.report().get("isolation", "none"))
