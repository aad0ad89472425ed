"""What one run of the suite has said so far, and what a student reads of it: a failure at once, the rest at its end."""

import time
from dataclasses import dataclass, field

from labkit.course.files import shown
from labkit.course.loading import line_in_stack
from labkit.course.manifest import Behaviour, Lab
from labkit.course.records import LOST, Record, State
from labkit.course.screen import Line
from labkit.judge.lines import (
    all_passed,
    bar,
    errors_alike,
    grader_error_lines,
    install_lines,
    next_lines,
    stuck_line,
)
from labkit.judge.summary import SETTLED, Score, asked_of, diagnosis_of, next_record, points
from labkit.student.apart import FIX, ending, why_it_did_not_run

LOADING = 30.0  # seconds without a word, from which on it is the file itself that does not load
RANKS = 90.0  # seconds for ranks to start, before their test's own limit begins; the suite says if they do not
GRACE = 2.0  # seconds by which a test may be late: it ends itself at its limit, and says so, if it can


@dataclass
class Run:
    """One run of a step, or of all of them (step 0), as its events come in."""

    lab: Lab
    number: int
    step: int
    saved: float
    limit: float | None = None  # seconds for one test, instead of those of the manifest
    heard: float = field(default_factory=time.monotonic)
    testing: str = ""
    records: list[Record] = field(default_factory=list)
    stopped: bool = False  # it was ended early, after a test that gave no answer
    hung: bool = False  # it gave no sign of life
    headed: bool = False  # its heading has been shown

    @property
    def asked(self) -> list[Behaviour]:
        return asked_of(self.lab, self.step)

    @property
    def passed(self) -> bool:
        """Whether all of it was run, and nothing of it is left to do."""
        return len(self.records) == len(self.asked) and all(record.state in SETTLED for record in self.records)

    @property
    def seconds(self) -> float:
        return time.monotonic() - self.saved

    @property
    def overdue(self) -> bool:
        """Whether it has not been heard of for longer than the running test may take."""
        if self.limit is None:
            running = self._running()
            limit = self._limit(running) if running else LOADING
        else:
            limit = self.limit
        return not self.stopped and time.monotonic() - self.heard > limit

    def title(self) -> str:
        return f"step {self.step}: {self.lab.step(self.step).title}" if self.step else "all steps"

    def lost(self) -> list[Record]:
        return [record for record in self.records if record.state in LOST]

    def take(self, event: dict) -> Record | None:
        """Keeps what the event says; the first failure of the run is handed back, to be shown at once."""
        self.heard = time.monotonic()
        self.testing = event.get("start", self.testing)
        return self.add(Record.of(event["record"])) if "record" in event else None

    def add(self, record: Record) -> Record | None:
        self.records.append(record)
        return record if self.lost() == [record] else None

    def close(self, event: dict) -> Record | None:
        """At the end: the failure of the test that gave no record, if the run ended in one, is handed back too."""
        running = self._running()
        if running is None or (self.stopped and not self.hung):
            return None
        base = Record(
            self.lab.name, running.id, running.step, running.points, 0.0, f"{self.lab.reading}#{running.read}"
        )  # fmt: skip
        if self.hung:
            got = f"no answer within {self.limit or self.lab.limit_of(running):g} s{self._where(event)}"
            why = "look there for an endless loop, or for ranks that wait for each other"
            return self.add(base.but(state=State.TIMEOUT, got=got, expected="an answer", why=why))
        if "INTERNALERROR" in event.get("output", ""):
            return self.add(base.but(got=event["output"].strip().splitlines()[-1], why="make doctor"))
        got = f"your code ended Python itself ({ending(event.get('end'))}); nothing after it was tested"
        return self.add(base.but(state=State.CRASHED, got=got, expected="an answer", why="sys.exit, os._exit, abort?"))

    def _running(self) -> Behaviour | None:
        """The behaviour whose test has begun and has no record yet."""
        name, known = self.testing.partition("[")[0], {record.id for record in self.records}
        return next((one for one in self.asked if one.id == name and name not in known), None)

    def _limit(self, running: Behaviour) -> float:
        starting = RANKS if self.lab.step(running.step).ranks > 1 else 0.0
        return self.lab.limit_of(running) + starting + GRACE

    def _where(self, event: dict) -> str:
        found = line_in_stack(self.lab.paths.student.resolve(), event.get("stack", ""))
        return f", {self.file}, line {found[0]}, in {found[1]}" if found else ""

    @property
    def file(self) -> str:
        return shown(self.lab.paths.student, self.lab.paths.root)


def end_lines(run: Run, event: dict, keys: bool) -> list[Line]:
    """The end of a run: what it comes to, and what to do now; its first failure has been shown."""
    if not run.records:
        return [Line(_why_nothing_ran(run, event), "bold red", 2)]
    score = Score.of(run.asked, run.records)
    title = f"{run.title()[:1].upper()}{run.title()[1:]}"
    end = f"{bar(score.earned, score.worth)} {score.earned} of {points(score.worth)}{score.more()}, "
    end += f"{', '.join(score.states)}, {run.seconds:.1f} s"
    errors = [line for group in errors_alike(run.records) for line in grader_error_lines(*group)]
    installs = install_lines(run.records)
    if run.passed:
        whole = score.whole and not errors
        head = Line(f"{title} passed", "bold green") if whole else all_passed(run.lab, run.records, run.step or None)
        return [*errors, head, Line(end, "green", 2), *installs]
    lost, said = run.lost(), errors
    if len(lost) > 1:
        step = f" STEP={run.step}" if run.step else ""
        said.append(Line(f"  and {len(lost) - 1} more failed: make test-{run.lab.name}{step} lists them", "", 2))
    looks_like = diagnosis_of(run.lab, run.records) if lost else ""
    if looks_like:
        said.append(Line(looks_like, "yellow", 2))
    said += [Line(end, "", 2), *installs]
    record = next_record(run.records)
    if record is None:  # what was judged has passed, and something ended the run
        why = all_passed(run.lab, run.records) if errors else Line(_why_nothing_ran(run, event), "bold red", 2)
        return [*said, why]
    if record.state not in LOST:
        said += next_lines(run.lab, record, run.file)
    return said if keys else [*said, stuck_line(run.lab, record)]


def _why_nothing_ran(run: Run, event: dict) -> str:
    """The file cannot be loaded, or loading it does not end."""
    output, code = event.get("output", ""), event.get("end")
    if run.stopped:
        return f"{run.file}: loading it gave no answer{run._where(event)}, and was ended: is a loop there?"
    if output.strip():
        return why_it_did_not_run(run.lab, output, code).removeprefix(FIX)
    return f"while the file was loaded: your code ended Python itself ({ending(code)}); nothing after it was tested"
