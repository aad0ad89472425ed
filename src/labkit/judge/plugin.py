"""The pytest plugin of the graded suites: `observe` and `draw` for tests, a verdict and a record for every behaviour.

A test of `tests/test_<stem>.py` is graded if a lab has that stem; it is named as a behaviour in the lab's manifest, and
may have several cases. Where that is safe, the tests run in a child of this process (`supervise`).
"""

import os
import shutil
import signal
import sys
from collections.abc import Callable, Generator, Iterable
from pathlib import Path
from typing import Any

import pytest
import torch

from labkit.course import manifest
from labkit.course.errors import LabError
from labkit.course.files import shown, write_json
from labkit.course.manifest import ROOT, Lab
from labkit.course.records import LOST, State
from labkit.course.screen import Line, pieces
from labkit.judge import verdicts
from labkit.judge.boxed import Boxes, level_for
from labkit.judge.draw import Draw
from labkit.judge.graded import ANSWERS, BEHAVIOUR, LAB, GradedSuite, labs_that_run
from labkit.judge.lines import lines
from labkit.judge.supervise import Supervisor
from labkit.observe.answer import PRINTED, Answer
from labkit.observe.deadline import debugging, limited
from labkit.observe.isolation import Level
from labkit.observe.local import observe_with

STYLES = {"dim": "light"}  # rich's names that pytest has others for


def pytest_configure(config: pytest.Config) -> None:
    config.pluginmanager.register(_Hooks(GradedSuite(config.option)), "graded-suite")


@pytest.fixture
def draw(request: pytest.FixtureRequest) -> Draw:
    """Draws this test's inputs; torch's own generator starts from the same seed."""
    option = request.config.option
    drawn = Draw(option.seed, request.node.name)
    if option.device == "cuda":
        torch.manual_seed(drawn.seed)
    else:  # the line above would read the source of every frame of the stack, three times, in case CUDA is used later
        torch.default_generator.manual_seed(drawn.seed)
    return drawn


@pytest.fixture
def observe(request: pytest.FixtureRequest) -> Callable[..., Any]:
    """`observe(scenario, **inputs)`: the values that the scenario returned for the code under test."""
    hooks = request.config.pluginmanager.get_plugin("graded-suite")
    assert isinstance(hooks, _Hooks)
    answers: list[Answer] = []
    request.node.stash[ANSWERS] = answers
    return observe_with(hooks.suite.observer_for(request.node), answers)


class _Hooks:
    def __init__(self, suite: GradedSuite) -> None:
        self.suite = suite
        self.only_graded = False
        self.session: pytest.Session | None = None
        self.unwritten: list[str] = []

    @pytest.hookimpl(tryfirst=True)
    def pytest_pycollect_makemodule(self, module_path: Path, parent: pytest.Collector) -> pytest.Collector | None:
        lab = _lab_of(module_path)
        if lab is not None and all(lab.missing(step.number) for step in lab.steps):
            return _Uncollected.from_parent(parent, path=module_path)  # its imports may be what is missing
        return None

    def pytest_collection_modifyitems(self, config: pytest.Config, items: list[pytest.Item]) -> None:
        try:
            self._collect(config, items)
        except LabError as error:
            raise pytest.UsageError(str(error)) from None

    def _collect(self, config: pytest.Config, items: list[pytest.Item]) -> None:
        found = {path: _lab_of(path) for path in dict.fromkeys(item.path for item in items)}
        labs = {path: lab for path, lab in found.items() if lab is not None}
        own = [item for item in items if item.path in labs]
        for item in own:
            _mark(item, labs[item.path])
        if not own:
            return
        if config.option.device == "cuda" and not torch.cuda.is_available():
            raise LabError(
                "--device cuda: this machine has no CUDA device that torch can use; leave it out for the CPU"
            )
        if config.option.isolation != Level.NONE and self.suite.replayed is None:
            self.suite.boxes = Boxes(level_for(config.option.isolation, config.option.device), config.option.run_limit)
        self.only_graded = len(own) == len(items)
        if config.option.step is not None:
            _select_step(config, items, own)
        for path in dict.fromkeys(item.path for item in items if item in own):
            self.suite.add_lab(labs[path], [item for item in items if item.path == path])
        if self.only_graded and config.option.tbstyle == "auto":
            config.option.tbstyle = "no"  # the summary shows the failures, four lines each
            terminal = config.pluginmanager.get_plugin("terminalreporter")
            if terminal is not None:
                terminal.reportchars = ""

    def pytest_collection_finish(self, session: pytest.Session) -> None:
        for item in session.items:
            if BEHAVIOUR in item.stash:
                self.suite.asked.setdefault(item.stash[LAB].stem, []).append(item.stash[BEHAVIOUR].id)

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtestloop(self, session: pytest.Session) -> bool | None:
        """Runs graded tests under supervision; else pytest's own loop follows."""
        self.session = session
        if not self.suite.labs or session.testsfailed or session.config.option.collectonly:
            return None
        try:
            if self.suite.boxes is not None or not (self.only_graded and can_supervise(session.config)):
                own = [item for item in session.items if BEHAVIOUR in item.stash]
                self.suite.load(labs_that_run(own), clean=self.only_graded)
                return None
            Supervisor(self.suite, session, signal.SIGUSR2).run()
            return True
        except LabError as error:
            self.suite.labs.clear()  # nothing is known of any of them
            raise pytest.UsageError(str(error)) from None

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_setup(self, item: pytest.Item) -> None:
        packages = item.stash[LAB].missing(item.stash[BEHAVIOUR].step) if BEHAVIOUR in item.stash else ()
        if packages:
            pytest.skip(", ".join(packages))

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_call(self, item: pytest.Item) -> Generator[None, object, object]:
        if BEHAVIOUR not in item.stash or item.config.option.usepdb:
            return (yield)
        self.suite.in_call(item)
        with limited(self.suite.limit(item)):
            return (yield)

    def pytest_enter_pdb(self) -> None:
        """A `breakpoint()` in a scenario: nothing has a limit any more."""
        if hasattr(signal, "setitimer"):
            signal.setitimer(signal.ITIMER_REAL, 0)
        self.suite.in_debugger()

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_makereport(
        self, item: pytest.Item, call: pytest.CallInfo
    ) -> Generator[None, Any, pytest.TestReport]:
        report = yield  # any: a TestReport is given its record here
        if BEHAVIOUR in item.stash and (call.when == "call" or (call.excinfo and call.when == "setup")):
            lab, behaviour = item.stash[LAB], item.stash[BEHAVIOUR]
            answers: list[Answer] = item.stash.get(ANSWERS, [])
            record = verdicts.verdict(lab, behaviour, call, answers)
            report.record = record.but(
                note=dict(item.user_properties).get("note", ""),
                printed=_printed(report, answers) if record.state in LOST else "",
            )
            if record.state not in (State.PASSED, State.SKIPPED):
                report.outcome = "failed"
        return report

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        record = getattr(report, "record", None)
        if record is None:
            return
        self.suite.take(record)
        if record.state == State.TIMEOUT and self.suite.option.one_timeout and self.session is not None:
            self.session.shouldstop = f"{record.id} gave no answer; the tests after it might wait as long"

    def pytest_report_teststatus(self, report: pytest.TestReport) -> tuple[str, str, str] | None:
        record = getattr(report, "record", None)
        if record is not None and record.state in (State.TODO, State.BLOCKED):
            return record.state.value, record.state[0], record.state.upper()
        return None

    @pytest.hookimpl(trylast=True)
    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        option = session.config.option
        self.suite.finish()
        written = {option.json: self.suite.report() if self.suite.labs else None, option.record: self.suite.returned}
        for path, data in written.items():
            if path and data is not None:
                try:
                    write_json(Path(path), data)
                except LabError as error:  # the verdicts are shown all the same
                    self.unwritten.append(f"ERROR: {error}")
                    session.exitstatus = pytest.ExitCode.USAGE_ERROR

    def pytest_unconfigure(self) -> None:
        self.suite.close()

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        for line in self.unwritten:
            terminalreporter.write_line(line, red=True)
        for lab in self.suite.labs.values():
            records = [record for record in self.suite.records if record.lab == lab.name]
            if records:
                option, path = self.suite.option, shown(self.suite.paths[lab.stem], ROOT)
                asked, verbose = self.suite.asked.get(lab.stem, []), terminalreporter.verbosity > 0
                said = lines(lab, records, path, impl=option.impl, step=option.step, asked=asked, verbose=verbose)
                _write(terminalreporter, said)


class _Uncollected(pytest.File):
    """In place of a suite whose lab lacks a package: a test that is skipped for every behaviour."""

    def collect(self) -> list[pytest.Item]:
        lab = _lab_of(self.path)
        assert lab is not None, "it stands for a lab's suite"
        return [_Skipped.from_parent(self, name=one.id) for one in lab.behaviours]


class _Skipped(pytest.Item):
    def runtest(self) -> None:
        """Never reached: its setup skips it."""

    def reportinfo(self) -> tuple[os.PathLike[str], int | None, str]:
        return self.path, None, self.name


def _write(terminal: pytest.TerminalReporter, said: Iterable[Line]) -> None:
    """Writes lines to pytest's terminal, wrapped to its width."""
    terminal.ensure_newline()
    columns = shutil.get_terminal_size().columns - (1 if terminal.isatty else 0)
    for line in said:
        markup = {STYLES.get(name, name): True for name in line.style.split()}
        for piece in pieces(line, columns):
            terminal.write_line(piece, **markup)


def _printed(report: pytest.TestReport, answers: list[Answer]) -> str:
    """The last of what the code under test printed: here, or where its answers come from."""
    return (report.capstdout or next((answer.printed for answer in reversed(answers)), ""))[-PRINTED:]


def can_supervise(config: pytest.Config) -> bool:
    """Whether graded tests can run in a fork of this process, which has only imported, and nobody debugs them."""
    option = config.option
    interactive = option.usepdb or getattr(option, "trace", False) or debugging()
    spread = hasattr(config, "workerinput") or config.pluginmanager.has_plugin("dsession")
    return option.device == "cpu" and sys.platform == "linux" and not interactive and not spread


def _lab_of(path: Path) -> Lab | None:
    """The lab whose suite this file is, if any. Raises LabError if its manifest is wrong; others' may be."""
    stem, root = path.stem.removeprefix("test_"), path.parent.parent  # which may be a copy of the course
    stems = [found.parent.name.partition("_")[2] for found in manifest.manifests(root)]
    return manifest.find(stem, root) if stem in stems and path == root / "tests" / f"test_{stem}.py" else None


def _mark(item: pytest.Item, lab: Lab) -> None:
    name = getattr(item, "originalname", None) or item.name  # without its case
    behaviour = next((behaviour for behaviour in lab.behaviours if behaviour.id == name), None)
    if behaviour is None:
        raise LabError(f"{lab.paths.manifest}: behaviours: {name} is missing; {item.path.name} has such a test")
    item.stash[LAB], item.stash[BEHAVIOUR] = lab, behaviour
    item.add_marker(pytest.mark.timeout(0))  # not pytest-timeout's: the limit is ours
    if lab.step(behaviour.step).ranks > 1:
        item.add_marker(pytest.mark.many_ranks)


def _select_step(config: pytest.Config, items: list[pytest.Item], own: list[pytest.Item]) -> None:
    step = config.option.step
    others = [item for item in own if item.stash[BEHAVIOUR].step != step]
    if len(others) == len(own):
        raise LabError(f"--step {step}: the lab has no tests of step {step}")
    config.hook.pytest_deselected(items=others)
    items[:] = [item for item in items if item not in others]
