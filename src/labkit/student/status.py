"""`make status`: every lab and its steps, with points, bar and minutes, and the one next thing to do."""

import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory

from labkit.course.errors import LabError
from labkit.course.files import shown
from labkit.course.manifest import ROOT, Behaviour, Lab
from labkit.course.records import Record
from labkit.course.screen import Line
from labkit.judge import progress
from labkit.judge.summary import bar, help_for, needed_step, next_record, next_thing, states, to_read


@dataclass(frozen=True)
class Standing:
    """How a student stands in a lab: the records of the file as it is now, or the `error` that kept it from running."""

    lab: Lab
    records: list[Record] = field(default_factory=list)
    error: str = ""

    def of_step(self, number: int) -> list[Record]:
        return [record for record in self.records if record.step == number]

    @property
    def whole(self) -> bool:
        """Whether there is a verdict on everything, or on all up to a test that gave no answer."""
        states = {record.id: record.state for record in self.records}
        for behaviour in self.lab.behaviours:
            if states.get(behaviour.id, "timeout") == "timeout":
                return behaviour.id in states
        return True

    def passed(self, number: int) -> bool:
        """Whether everything of the step has been run and has passed."""
        asked = sum(behaviour.step == number for behaviour in self.lab.behaviours)
        return asked == sum(record.state == "passed" for record in self.of_step(number))


def known(lab: Lab, root: Path = ROOT) -> Standing:
    """What is known without running anything: perhaps nothing, perhaps of some steps only; never of an older file."""
    file = shown(lab.paths.student, root)
    try:
        written = progress.written(lab)
    except LabError as error:
        return Standing(lab, error=str(error))
    if written is None:
        return Standing(lab, error=f"{file} is not there; make reset-{lab.name} puts the skeleton in place")
    if written == _skeleton(lab):
        return Standing(lab, [_stub_record(lab, behaviour) for behaviour in lab.behaviours])
    return Standing(lab, *progress.recall(lab))


def standing(lab: Lab, root: Path = ROOT, say: Callable[[str], None] = lambda text: None) -> Standing:
    """How the student stands in `lab`; runs the suite only if its verdicts on the file as it is are not all known.

    A test that gave no answer ends the run: the others would wait as long, and until it is mended nobody asks again.
    """
    before = known(lab, root)
    if before.error or before.whole:
        return before
    say(f"{shown(lab.paths.student, root)} has changed: testing it")
    return _tested(lab, root)


def current_step(lab: Lab, root: Path = ROOT) -> int:
    """The step to work on, as far as that is known without running anything.

    Raises:
        LabError: it is not known.
    """
    record = next_record(known(lab, root).records)
    if record is None:
        raise LabError(f"say which step, 1 to {len(lab.steps)}: STEP=1; make status shows where you are")
    return needed_step(lab, record)


def lines(stand: Standing) -> list[Line]:
    """What `make status` says of one lab, in at most 80 columns."""
    lab = stand.lab
    said = [Line(f"Lab {lab.number:02d}: {lab.title}", "bold")]
    for step in lab.steps:
        worth = sum(behaviour.points for behaviour in lab.behaviours if behaviour.step == step.number)
        earned = sum(record.earned for record in stand.of_step(step.number))
        style = "green" if earned == worth else ""
        text = f"  {step.number} {step.title:<31.31} {bar(earned, worth)} {earned:3} of {worth:3} {step.minutes:3} min"
        said.append(Line(text, style))
    total = sum(record.earned for record in stand.records)
    said.append(Line(f"  {'':33} {'points':>22} {total:3} of {lab.points:3} {lab.minutes:3} min"))
    return [*said, Line(""), *next_lines(stand)]


def next_lines(stand: Standing) -> list[Line]:
    """The one next thing to do in a lab, and what helps with it."""
    lab = stand.lab
    path = f"src/{lab.stem}.py"
    record = next_record(stand.records)
    if stand.error:
        return [Line(f"Next: {stand.error}", "bold", 6)]
    if record is None:
        return [
            Line("Everything passed.", "green"),
            Line(f"      More inputs: make test-{lab.name} SEED=7. What comes next: {_handout(lab)}", indent=6),
        ]
    step = lab.step(record.step)
    there = states(stand.of_step(step.number))
    return [
        Line(f"Next: {next_thing(lab, record, path)} ({there})", "bold", 6),
        Line(f"      Read {to_read(lab, record)}, then: make watch-{lab.name}", indent=6),
        Line(f"      Stuck? {help_for(lab, record)}", indent=6),
    ]


def _handout(lab: Lab) -> str:
    return shown(lab.folder / "README.md", lab.folder.parents[1])


def _skeleton(lab: Lab) -> bytes | None:
    path = lab.folder / "skeleton.py"
    return path.read_bytes() if path.is_file() else None


def _stub_record(lab: Lab, behaviour: Behaviour) -> Record:
    """What the suite says of a behaviour whose functions are all stubs still."""
    needs = f"Step {behaviour.step}: {next(iter(lab.step(behaviour.step).todo))}"
    return Record(
        lab.name, behaviour.id, behaviour.step, behaviour.points, 0.0, f"{lab.reading}#{behaviour.read}", "todo",
        needs=needs,
    )  # fmt: skip


def _tested(lab: Lab, root: Path) -> Standing:
    """Runs the suite in a process of its own; it remembers its verdicts itself."""
    file, under = shown(lab.paths.student, root), progress.fingerprint(lab)
    ran = graded_apart(lab, root, "--one-timeout")
    if progress.fingerprint(lab) != under:
        return Standing(lab, error=f"{file} was saved while it was tested: make status again")
    stand = Standing(lab, ran.records)
    if stand.whole:
        return stand
    error = why_it_did_not_run(ran.output, ran.code, root)
    if error.startswith(f"mend {file}"):  # what the machine lacked today is not kept
        progress.remember(lab, under, [], error)
    return Standing(lab, error=error)


@dataclass(frozen=True)
class Apart:
    """A run of a suite in a process of its own: its records, none where the file cannot be loaded, and how it ended."""

    records: list[Record]
    output: str
    code: int


def graded_apart(lab: Lab, root: Path, *options: str) -> Apart:
    """Runs the suite in a process of its own, which leaves nothing behind."""
    with TemporaryDirectory(prefix="labkit-graded-", ignore_cleanup_errors=True) as folder:
        report = Path(folder) / "records.json"
        command = [sys.executable, "-m", "pytest", "-q", "--no-header", "-p", "no:cacheprovider"]
        command += [f"tests/test_{lab.stem}.py", "--json", str(report), *options]
        own = {"NO_COLOR": "1", "PYTHONUNBUFFERED": "", "TMPDIR": folder}
        environment = {"OMP_NUM_THREADS": "1"} | os.environ | own
        ran = subprocess.run(command, cwd=root, env=environment, capture_output=True, text=True, errors="replace")
        found = json.loads(report.read_text(encoding="utf-8"))["records"] if report.exists() else []
    return Apart([Record.of(record) for record in found], ran.stdout + ran.stderr, ran.returncode)


def why_it_did_not_run(output: str, code: int | None, root: Path = ROOT) -> str:
    """Why a run of the suite gave no verdict: what to mend in the course, or what happened to the run."""
    errors = re.findall(r"^ERROR:? (.*)", output, re.MULTILINE)
    mend = [error for error in errors if error.startswith(f"{root}{os.sep}")]
    if mend:
        return f"mend {mend[0].replace(f'{root}{os.sep}', '')}"
    words = [line for line in output.splitlines() if re.search(r"[A-Za-z]", line)]  # not the dots of passed tests
    said = errors or words
    if said and code is not None and code > 0:
        return f"the tests did not run: {said[-1]}; make doctor"
    return f"your code ended Python itself ({ending(code)}); make watch shows where"


def ending(code: int | None) -> str:
    """How a process ended, in words: "exit code 3", "SIGKILL"."""
    return signal.Signals(-code).name if code is not None and code < 0 else f"exit code {code}"
