"""Runs the chosen tests in a child of this process, which ends the child where a deadline does not bind it from inside.

Whatever the code under test does, C code that does not return, a crash, `os._exit`, this process keeps the verdicts
that came before, gives the one on the test that hung, and forks another child for those that are left. It loads no
submission itself.
"""

import functools
import json
import os
import signal
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from _pytest.runner import runtestprotocol

from labkit.course.errors import LabError
from labkit.course.processes import adopt_orphans, children_of, end_children
from labkit.course.records import OVER, Record, State
from labkit.judge import graded, verdicts
from labkit.judge.graded import BEHAVIOUR, LAB, GradedSuite, labs_that_run
from labkit.judge.limits import STEP_NOT_RUN, TIMEOUTS
from labkit.observe.answer import PRINTED, Answer, Ending, crashed
from labkit.observe.channel import Channel, Closed, Torn
from labkit.observe.child import Child, Setting, line_text
from labkit.observe.rank_group import START
from labkit.observe.ranks import SPAWN, import_for_ranks

GRACE = 2.0  # seconds after which a test is ended that does not end itself at its limit
A_DAY = 86400.0  # seconds for someone in a debugger
LONGEST = 2**30  # bytes of a message: a child sends what --record writes


class Supervisor:
    """The side that stays: it starts children, hears of their tests, and hands pytest the reports.

    A child writes down where it is on the signal `where`.
    """

    def __init__(self, suite: GradedSuite, session: pytest.Session, where: int) -> None:
        self.suite, self.session, self.where = suite, session, where
        self.left = list(session.items)
        self.timeouts: Counter[tuple[str, int]] = Counter()
        own = (item.stash[LAB].own_seconds(item.stash[BEHAVIOUR]) or 0.0 for item in self.left)
        self.limit = suite.option.run_limit + sum(own)
        self.end = time.monotonic() + self.limit
        self.importing = ""  # the stem of the lab whose file is imported, or was last
        self.running: pytest.Item | None = None
        self.called = False  # whether the running test has been set up

    def run(self) -> None:
        """Raises LabError if a lab file cannot be imported, and what pytest's own loop raises to stop."""
        if self.suite.ranks:
            import_for_ranks()  # here, not in the child and in its server of ranks
        adopt_orphans()
        with TemporaryDirectory(prefix="labkit-run-") as folder:
            while self.left:
                self._one_child(Path(folder, "stack"))

    def _one_child(self, stack: Path) -> None:
        """One child: for all tests that are left, or until one of them ends it, or none of its step need be run."""
        stack.unlink(missing_ok=True)
        before = children_of(os.getpid())
        ours, theirs = Channel.pair(LONGEST)
        close = (ours.fileno(),)
        setting = Setting(stack=stack, signal=self.where, group=False, bound=signal.SIGKILL, close=close)
        child = Child.fork(functools.partial(self._be_the_child, theirs, stack.parent), setting)
        theirs.close()
        self.running, self.importing = None, self.left[0].stash[LAB].stem
        try:
            for event in self._events(ours, child):
                self._hear(event)
                if self._drop_the_rest_of_a_step():
                    return
            child.wait(GRACE)  # it takes its ranks apart, if it has come to its end
        finally:
            child.kill()
            ours.close()
            end_children(kept=before)  # what the code under test had started

    def _be_the_child(self, channel: Channel, folder: Path) -> None:
        """Its temporary files are in `folder`, which is removed however it ends. Those of a sandbox are where its user
        can reach them.
        """
        if self.suite.boxes is None:
            tempfile.tempdir = str(folder)
        _serve(self.suite, list(self.left), channel)

    def _events(self, channel: Channel, child: Child) -> Iterator[dict]:
        """What the child says, until it has no more to say or is ended."""
        limit = SPAWN + graded.LOADING + GRACE
        while self.left:
            deadline = min(time.monotonic() + limit, self.end)
            try:
                message = channel.receive(deadline)
            except (Closed, Torn):
                child.wait(GRACE)
                self._crashed(child)
                return
            if message is None:
                self._hangs(child, limit)
                return
            event = json.loads(message)
            if "broken" in event:
                self._breaks(event["broken"])
                return
            limit = event.get("limit", SPAWN + START) + GRACE
            if "debugging" in event:
                limit, self.end = A_DAY, time.monotonic() + A_DAY
            yield event

    def _hear(self, event: dict) -> None:
        if "refused" in event:
            raise LabError(event["refused"])
        self.importing = event.get("import", self.importing)
        if "start" in event:
            self.running, self.called = self.left[0], False
            self.session.config.hook.pytest_runtest_logstart(nodeid=self.running.nodeid, location=self.running.location)
        self.called |= "limit" in event
        for report in event.get("reports", []):
            self._log(report)
        if "reports" in event:
            self.suite.returned |= event["returned"]
            self._done()

    def _log(self, parts: dict) -> None:
        """Hands pytest a report, as its own loop would."""
        item, written, longrepr = self.left[0], parts.pop("record"), parts.pop("longrepr")
        record = Record.of(written) if written else None
        report = pytest.TestReport(
            item.nodeid, item.location, {}, longrepr=tuple(longrepr) if type(longrepr) is list else longrepr,
            record=record, **parts
        )  # fmt: skip
        if record is not None and record.state == State.TIMEOUT:
            self.timeouts[record.lab, record.step] += 1
        self.session.config.hook.pytest_runtest_logreport(report=report)

    def _done(self) -> None:
        """The test at the head of those left has its verdict."""
        item, self.running = self.left.pop(0), None
        self.session.config.hook.pytest_runtest_logfinish(nodeid=item.nodeid, location=item.location)
        if self.session.shouldfail:
            raise self.session.Failed(self.session.shouldfail)
        if self.session.shouldstop:
            raise self.session.Interrupted(self.session.shouldstop)

    def _give(self, answer: Answer, seconds: float = 0.0, printed: str = "") -> None:
        """Gives the verdict on the test that is at the head of those left, which the child could not."""
        self.running = item = self.left[0]
        lab, behaviour = item.stash[LAB], item.stash[BEHAVIOUR]
        base = verdicts.unjudged(lab, behaviour).but(seconds=round(seconds, 4), printed=printed[-PRINTED:])
        record = verdicts.of_answer(base, lab, behaviour, answer)
        self._log({
            "record": asdict(record), "longrepr": record.got, "when": "call", "outcome": "failed",
            "sections": [], "duration": seconds,
        })  # fmt: skip
        self._done()

    def _hangs(self, child: Child, limit: float) -> None:
        """Ends the child where it is."""
        if time.monotonic() >= self.end:
            return self._whole_run_is_over()
        if not child.poll():  # what it has started holds its end of the channel open
            return self._crashed(child)
        path = self._path()
        where = line_text(path, child.where(path))
        child.kill()
        if self.running is None:
            place = f", {where.partition(':')[0]}" if where else ""
            text = where.partition(": ")[2]
            says = f"did not end within {graded.LOADING:g} s{f': {text}' if text else ''}; {verdicts.LOOP}"
            raise LabError(f"{path}{place}: importing the file {says}")
        seconds = limit - GRACE
        ending = Ending.TIMEOUT if self.called else Ending.MACHINERY  # its ranks did not start
        says = f"no answer within {seconds:g} s"
        return self._give(Answer(ending=ending, says=says, where=where), seconds, self._printed())

    def _breaks(self, says: str) -> None:
        """Suite or machinery raised in the child, outside of what a test runs."""
        if self.running is None:
            raise LabError(f"the course's own machinery failed, not your code: {says}; make doctor")
        self._give(Answer(ending=Ending.MACHINERY, says=says), printed=self._printed())

    def _crashed(self, child: Child) -> None:
        """The child is gone, and said nothing of it."""
        cut_off = child.poll()
        child.kill()
        answer = crashed(None if cut_off else child.code)
        if self.running is None:
            raise LabError(f"{self._path()}: {answer.says} while the file was imported")
        self._give(answer, printed=self._printed())

    def _drop_the_rest_of_a_step(self) -> bool:
        """Whether a step has timed out often enough; its tests that are left then have their verdict."""
        found = False
        for item in list(self.left):
            if self.timeouts[_step_of(item)] >= TIMEOUTS:
                self.left.remove(item)
                self.left.insert(0, item)
                self._give(Answer(ending=Ending.TIMEOUT, says=STEP_NOT_RUN))
                found = True
        return found

    def _whole_run_is_over(self) -> None:
        """Where nothing has timed out, the machine is too slow."""
        ending = Ending.TIMEOUT if self.timeouts or self.running else Ending.MACHINERY
        while self.left:
            self._give(Answer(ending=ending, says=f"{OVER} of {self.limit:g} s"))

    def _path(self) -> Path:
        """The lab file of the test that runs, or the one that is imported."""
        return self.suite.paths[self.running.stash[LAB].stem if self.running else self.importing]

    def _printed(self) -> str:
        """What the code under test had printed when the child was ended: it shares the file of pytest's capture."""
        capture = self.session.config.pluginmanager.get_plugin("capturemanager")
        return capture.read_global_capture()[0] if capture is not None and capture.is_globally_capturing() else ""


def _step_of(item: pytest.Item) -> tuple[str, int]:
    return item.stash[LAB].name, item.stash[BEHAVIOUR].step


def _serve(suite: GradedSuite, items: list[pytest.Item], channel: Channel) -> None:
    """The child: loads the code under test, runs the tests, and says what comes of each."""

    def say(event: dict) -> None:
        channel.send(json.dumps(event).encode())

    suite.in_import = lambda stem: say({"import": stem, "limit": graded.LOADING})
    suite.in_call = lambda item: say({"limit": graded.limit(item)})
    suite.in_debugger = lambda: say({"debugging": True})
    try:
        try:
            suite.load(labs_that_run(items), clean=True)
        except LabError as error:
            return say({"refused": str(error)})
        for item, following in zip(items, [*items[1:], None], strict=True):
            say({"start": item.name})
            reports = runtestprotocol(item, log=False, nextitem=following)
            returned = {item.name: suite.returned[item.name]} if item.name in suite.returned else {}
            say({"reports": [_parts(report) for report in reports], "returned": returned})
    except (Closed, KeyboardInterrupt):  # nobody listens any more; Ctrl-C is told above
        return
    except Exception as error:
        say({"broken": f"{type(error).__name__}: {error}"})
    finally:
        suite.close()


def _parts(report: pytest.TestReport) -> dict:
    record = getattr(report, "record", None)
    longrepr = report.longrepr
    return {
        "record": record and asdict(record),
        "longrepr": longrepr if longrepr is None or type(longrepr) is tuple else str(longrepr),
        "when": report.when, "outcome": report.outcome, "sections": report.sections, "duration": report.duration,
    }  # fmt: skip
