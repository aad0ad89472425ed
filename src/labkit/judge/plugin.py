"""The pytest plugin of the graded suites: `observe` and `draw` for tests, a verdict and a record for every behaviour.

A test of `tests/test_<stem>.py` is graded if a lab has that stem; it is named as a behaviour in the lab's manifest.
"""

import json
import shutil
from collections.abc import Callable, Iterable
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest
import torch

from labkit.course import manifest
from labkit.course.errors import LabError
from labkit.course.files import shown, write_json
from labkit.course.loading import implementation_path, load_implementation
from labkit.course.manifest import ROOT, Behaviour, Lab
from labkit.course.records import LOST, Record
from labkit.course.screen import Line, pieces
from labkit.judge import causes, progress, verdicts
from labkit.judge.draw import Draw
from labkit.judge.lines import lines
from labkit.observe.local import Observer, RankWork, Recorder, Replay, observe_with
from labkit.observe.ranks import RankServer

STYLES = {"dim": "light"}  # rich's names that pytest has others for
PRINTED = 2000  # characters of what a failed test printed that are kept, the last ones

_behaviour = pytest.StashKey[Behaviour]()
_lab = pytest.StashKey[Lab]()
_observed = pytest.StashKey[list[object]]()


class GradedSuite:
    """What one session of graded tests shares: the code under test, lab by lab, and the records."""

    def __init__(self, config: pytest.Config) -> None:
        self.option = config.option
        self.labs: dict[str, Lab] = {}
        self.observers: dict[str, Observer] = {}
        self.paths: dict[str, Path] = {}
        self.servers: list[RankServer] = []
        self.fingerprints: dict[str, progress.Fingerprint] = {}
        self.records: list[Record] = []
        self.asked: dict[str, list[str]] = {}  # by stem, the behaviours that are left after --step and -k
        self.returned: dict[str, list[object]] = {}
        self.replayed = json.loads(Path(self.option.replay).read_text()) if self.option.replay else None

    def add_lab(self, lab: Lab, many_ranks: bool, clean: bool) -> None:
        """Loads the code under test; before that, while this process is still `clean`, starts a server of ranks."""
        causes.of_lab(lab)  # a file of causes that is wrong is said before anything runs
        path = implementation_path(self.option.impl, lab.stem, ROOT)
        self.fingerprints[lab.stem] = progress.fingerprint(lab)  # before the file is read
        overlay = Path(self.option.overlay).resolve() if self.option.overlay else None
        device, server = self.option.device, None
        if many_ranks:
            rank_device = device if torch.cuda.device_count() > 1 else "cpu"
            server = RankServer(RankWork(path, overlay, rank_device), rank_device, clean, path)
            self.servers.append(server)
        self.observers[lab.stem] = Observer(load_implementation(path, overlay), device, server)
        self.labs[lab.stem] = lab  # last: a lab whose file cannot be loaded has no records and no summary
        self.paths[lab.stem] = path

    def remember(self) -> None:
        """Keeps the verdicts on a student's own file for `make status`; those of other inputs are nobody's progress."""
        option = self.option
        if option.seed != "0" or option.device != "cpu" or option.overlay or self.replayed is not None:
            return
        for lab in self.labs.values():
            if self.paths[lab.stem] == lab.paths.student.resolve():
                own = [record for record in self.records if record.lab == lab.name]
                progress.remember(lab, self.fingerprints[lab.stem], own)

    def observer_for(self, lab: Lab, test: str) -> Observer | Recorder | Replay:
        if self.replayed is not None:
            return Replay(self.replayed.get(test, []))
        if self.option.record:
            return Recorder(self.observers[lab.stem], self.returned.setdefault(test, []))
        return self.observers[lab.stem]


def pytest_configure(config: pytest.Config) -> None:
    config.pluginmanager.register(_Hooks(GradedSuite(config)), "graded-suite")


@pytest.fixture
def draw(request: pytest.FixtureRequest) -> Draw:
    """Draws this test's inputs; torch's own generator starts from the same seed."""
    drawn = Draw(request.config.option.seed, request.node.name)
    torch.manual_seed(drawn.seed)
    return drawn


@pytest.fixture
def observe(request: pytest.FixtureRequest) -> Callable[..., Any]:
    """`observe(scenario, **inputs)`: the values that the scenario returned for the code under test."""
    suite: GradedSuite = request.config.pluginmanager.get_plugin("graded-suite").suite
    lab = request.node.stash[_lab]
    observed = request.node.stash[_observed] = []
    return observe_with(suite.observer_for(lab, request.node.name), observed)


class _Hooks:
    def __init__(self, suite: GradedSuite) -> None:
        self.suite = suite
        self.unwritten: list[str] = []

    def pytest_collection_modifyitems(self, config: pytest.Config, items: list[pytest.Item]) -> None:
        try:
            self._collect(config, items)
        except LabError as error:
            raise pytest.UsageError(str(error)) from None

    def _collect(self, config: pytest.Config, items: list[pytest.Item]) -> None:
        labs = {lab.stem: lab for lab in manifest.load_all()}
        graded = [item for item in items if item.path.stem.removeprefix("test_") in labs and _in_tests(item)]
        for item in graded:
            _mark(item, labs[item.path.stem.removeprefix("test_")])
        if not graded:
            return
        if config.option.device == "cuda" and not torch.cuda.is_available():
            raise LabError(
                "--device cuda: this machine has no CUDA device that torch can use; leave it out for the CPU"
            )
        torch.set_num_threads(1)  # tiny tensors: threads cost more than they give, and the clock of a grader less
        only_graded = len(graded) == len(items)
        if config.option.step is not None:
            _select_step(config, items, graded)
        for stem in dict.fromkeys(item.stash[_lab].stem for item in graded):
            steps = {item.stash[_behaviour].step for item in items if item in graded and item.stash[_lab].stem == stem}
            many_ranks = any(labs[stem].step(step).ranks > 1 for step in steps)
            self.suite.add_lab(labs[stem], many_ranks, clean=only_graded)
        if only_graded and config.option.tbstyle == "auto":
            config.option.tbstyle = "no"  # the summary shows the failures, four lines each
            terminal = config.pluginmanager.get_plugin("terminalreporter")
            if terminal is not None:
                terminal.reportchars = ""

    def pytest_collection_finish(self, session: pytest.Session) -> None:
        for item in session.items:
            if _behaviour in item.stash:
                self.suite.asked.setdefault(item.stash[_lab].stem, []).append(item.stash[_behaviour].id)

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_makereport(self, item: pytest.Item, call: pytest.CallInfo):
        report = yield
        if _behaviour in item.stash and (call.when == "call" or call.excinfo):
            lab, behaviour = item.stash[_lab], item.stash[_behaviour]
            record = verdicts.verdict(lab, behaviour, call, item.stash.get(_observed, []))
            record = record.but(
                note=dict(item.user_properties).get("note", ""),
                printed=report.capstdout[-PRINTED:] if record.state in LOST else "",
            )
            self.suite.records.append(record)
            report.state = record.state
            if record.state == "timeout" and item.config.option.one_timeout:
                item.session.shouldstop = f"{item.name} gave no answer; the tests after it might wait as long"
            if record.state != "passed":
                report.outcome = "failed"  # a skip is no pass
        return report

    def pytest_report_teststatus(self, report: pytest.TestReport):
        state = getattr(report, "state", None)
        if state in ("todo", "blocked"):
            return state, state[0], state.upper()
        return None

    @pytest.hookimpl(trylast=True)
    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        option = session.config.option
        self.suite.remember()
        written = {option.json: self._report() if self.suite.labs else None, option.record: self.suite.returned}
        for path, data in written.items():
            if path and data is not None:
                try:
                    write_json(Path(path), data)
                except LabError as error:  # the verdicts are shown all the same
                    self.unwritten.append(f"ERROR: {error}")
                    session.exitstatus = pytest.ExitCode.USAGE_ERROR

    def pytest_unconfigure(self) -> None:
        for server in self.suite.servers:
            server.close()

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

    def _report(self) -> dict[str, object]:
        option = self.suite.option
        return {
            "impl": option.impl,
            "seed": option.seed,
            "device": option.device,
            "torch": torch.__version__,
            "records": [asdict(record) for record in self.suite.records],
        }


def _write(terminal: pytest.TerminalReporter, said: Iterable[Line]) -> None:
    """Writes lines to pytest's terminal, wrapped to its width."""
    terminal.ensure_newline()
    columns = shutil.get_terminal_size().columns - (1 if terminal.isatty else 0)
    for line in said:
        markup = {STYLES.get(name, name): True for name in line.style.split()}
        for piece in pieces(line, columns):
            terminal.write_line(piece, **markup)


def _in_tests(item: pytest.Item) -> bool:
    return item.path.parent == ROOT / "tests"


def _mark(item: pytest.Item, lab: Lab) -> None:
    behaviour = next((behaviour for behaviour in lab.behaviours if behaviour.id == item.name), None)
    if behaviour is None:
        raise LabError(
            f"{lab.folder / 'lab.toml'}: behaviours: {item.name} is missing; {item.path.name} has such a test"
        )
    item.stash[_lab], item.stash[_behaviour] = lab, behaviour
    item.add_marker(pytest.mark.timeout(verdicts.TIMEOUT))
    if lab.step(behaviour.step).ranks > 1:
        item.add_marker(pytest.mark.many_ranks)


def _select_step(config: pytest.Config, items: list[pytest.Item], graded: list[pytest.Item]) -> None:
    step = config.option.step
    others = [item for item in graded if item.stash[_behaviour].step != step]
    if len(others) == len(graded):
        raise LabError(f"--step {step}: the lab has no tests of step {step}")
    config.hook.pytest_deselected(items=others)
    items[:] = [item for item in items if item not in others]
