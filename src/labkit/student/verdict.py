"""What one run of the suite has said so far, and how a student is told: a pass, or one failure in four lines."""

import time
from dataclasses import dataclass, field
from pathlib import Path

from labkit.course.files import shown
from labkit.course.loading import line_in_stack
from labkit.course.manifest import Lab
from labkit.course.records import Record
from labkit.course.screen import Line
from labkit.judge.summary import (
    LOST,
    bar,
    diagnosis_of,
    failure,
    help_for,
    next_record,
    next_thing,
    points,
    printed_lines,
    states,
    to_read,
)
from labkit.student.status import ending, why_it_did_not_run


@dataclass
class Run:
    """One run of a step, or of all of them (step 0), as its events come in."""

    lab: Lab
    root: Path
    number: int
    step: int
    saved: float = field(default_factory=time.monotonic)
    heard: float = field(default_factory=time.monotonic)
    testing: str = ""
    records: list[Record] = field(default_factory=list)

    @property
    def asked(self) -> int:
        return sum(self.step in (0, behaviour.step) for behaviour in self.lab.behaviours)

    @property
    def passed(self) -> bool:
        return len(self.records) == self.asked and all(record.state == "passed" for record in self.records)

    @property
    def many_ranks(self) -> bool:
        return any(step.ranks > 1 for step in self.lab.steps if self.step in (0, step.number))

    @property
    def seconds(self) -> float:
        return time.monotonic() - self.saved

    def title(self) -> str:
        return f"step {self.step}: {self.lab.step(self.step).title}" if self.step else "all steps"

    def lost(self) -> list[Record]:
        return [record for record in self.records if record.state in LOST]

    def take(self, event: dict) -> Record | None:
        """Keeps what the event says; the first failure of the run is handed back, to be shown at once."""
        self.heard = time.monotonic()
        self.testing = event.get("start", self.testing)
        if "record" not in event:
            return None
        record = Record(**event["record"])
        self.records.append(record)
        return record if self.lost() == [record] else None


def failure_lines(record: Record) -> list[Line]:
    """The failure in its four lines, and the last of what the code printed meanwhile."""
    title, *rest = failure(record)
    said = [Line(title, "bold red", 2), *(Line(text, "", 12) for text in rest)]
    return said + [Line(text, "dim") for text in printed_lines(record)]


def end_lines(run: Run, event: dict, hung: bool, keys: bool) -> list[Line]:
    """The end of a run: what it comes to, and what to do now. `hung`: it was ended because it gave no answer."""
    if hung:
        return [Line(_where_it_hangs(run, event.get("stack", "")), "bold red", 2)]
    if len(run.records) < run.asked:
        return [Line(_why_it_ended(run, event), "bold red", 2)]
    earned, worth = sum(record.earned for record in run.records), sum(record.points for record in run.records)
    score = f"{bar(earned, worth)} {earned} of {points(worth)}, {states(run.records)}, {run.seconds:.1f} s"
    if run.passed:
        return [Line(f"{run.title()[:1].upper()}{run.title()[1:]} passed", "bold green"), Line(score, "green")]
    lost, said = run.lost(), []
    if len(lost) > 1:
        step = f" STEP={run.step}" if run.step else ""
        said.append(Line(f"  and {len(lost) - 1} more failed: make test-{run.lab.name}{step} lists them", "", 2))
    looks_like = diagnosis_of(run.lab, run.records) if lost else ""
    if looks_like:
        said.append(Line(looks_like, "yellow", 2))
    record = next_record(run.records)
    said.append(Line(score))
    if record.state not in LOST:
        path = shown(run.root / "src" / f"{run.lab.stem}.py", run.root)
        said.append(Line(f"Next: {next_thing(run.lab, record, path)}", "bold", 6))
        said.append(Line(f"      Read {to_read(run.lab, record)}", indent=6))
    if not keys:
        said.append(Line(f"      Stuck? {help_for(run.lab, record)}", indent=6))
    return said


def _where_it_hangs(run: Run, stack: str) -> str:
    file = run.root / "src" / f"{run.lab.stem}.py"
    found = line_in_stack(file.resolve(), stack)
    where = f"{shown(file, run.root)}, line {found[0]}, in {found[1]}" if found else shown(file, run.root)
    what = f"{run.testing} got" if run.testing else "loading the file gave"
    return f"{where}: {what} no answer, and was ended. Look there for a loop without an end."


def _why_it_ended(run: Run, event: dict) -> str:
    """The file cannot be loaded; or the code under test ended the process."""
    output, code = event.get("output", ""), event.get("end")
    if not run.testing and output.strip():
        return why_it_did_not_run(output, code, run.root).removeprefix("mend ")
    when = run.testing or "while the file was loaded"
    return f"{when}: your code ended Python itself ({ending(code)}); nothing after it was tested"
