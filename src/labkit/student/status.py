"""`make status`: every lab and its steps, with points, bar and minutes, and the one next thing to do."""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory

from labkit import progress
from labkit.errors import LabError
from labkit.files import shown
from labkit.manifest import ROOT, Behaviour, Lab
from labkit.records import Record
from labkit.student.screen import Line
from labkit.summary import bar, help_for, needed_step, next_record, next_thing, states


@dataclass(frozen=True)
class Standing:
    """How a student stands in a lab: the records of the file as it is now, or the `error` that kept it from running."""

    lab: Lab
    records: list[Record] = field(default_factory=list)
    error: str = ""

    def of_step(self, number: int) -> list[Record]:
        return [record for record in self.records if record.step == number]

    def passed(self, number: int) -> bool:
        """Whether everything of the step has been run and has passed."""
        asked = sum(behaviour.step == number for behaviour in self.lab.behaviours)
        return asked == sum(record.state == "passed" for record in self.of_step(number))


def known(lab: Lab, root: Path = ROOT) -> Standing:
    """What is known without running anything: perhaps nothing, perhaps of some steps only; never of an older file."""
    file = progress.student_file(lab, root)
    if not file.is_file():
        return Standing(
            lab, error=f"{shown(file, root)} is not there; make reset-{lab.name} puts the skeleton in place"
        )
    if _untouched(lab, file):
        return Standing(lab, [_stub_record(lab, behaviour) for behaviour in lab.behaviours])
    return Standing(lab, *progress.recall(lab, root))


def standing(lab: Lab, root: Path = ROOT, say: Callable[[str], None] = lambda text: None) -> Standing:
    """How the student stands in `lab`; runs the suite only if its verdicts on the file as it is are not all known."""
    before = known(lab, root)
    if before.error or len(before.records) == len(lab.behaviours):
        return before
    say(f"{shown(progress.student_file(lab, root), root)} has changed: testing it")
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
    if len(stand.records) < len(lab.behaviours):
        return [Line(f"Next: make test-{lab.name}", "bold")]
    if record is None:
        return [
            Line("Everything passed.", "green"),
            Line(f"      More inputs: make test-{lab.name} SEED=7. What comes next: {_handout(lab)}", indent=6),
        ]
    step = lab.step(record.step)
    there = states(stand.of_step(step.number))
    return [
        Line(f"Next: {next_thing(lab, record, path)} ({there})", "bold", 6),
        Line(f"      Read {lab.reading}#{step.read}, then: make watch-{lab.name}", indent=6),
        Line(f"      Stuck? {help_for(lab, record)}", indent=6),
    ]


def _handout(lab: Lab) -> str:
    return shown(lab.folder / "README.md", lab.folder.parents[1])


def _untouched(lab: Lab, file: Path) -> bool:
    skeleton = lab.folder / "skeleton.py"
    return skeleton.is_file() and skeleton.read_bytes() == file.read_bytes()


def _stub_record(lab: Lab, behaviour: Behaviour) -> Record:
    """What the suite says of a behaviour whose functions are all stubs still."""
    needs = f"Step {behaviour.step}: {next(iter(lab.step(behaviour.step).todo))}"
    return Record(
        lab.name, behaviour.id, behaviour.step, behaviour.points, 0.0, f"{lab.reading}#{behaviour.read}", "todo",
        needs=needs,
    )  # fmt: skip


def _tested(lab: Lab, root: Path) -> Standing:
    """Runs the whole suite in a process of its own; it remembers its verdicts itself."""
    under = progress.fingerprint(lab, root)
    records, output = graded_apart(lab, root)
    if len(records) == len(lab.behaviours):
        return Standing(lab, records)
    error = why_it_did_not_run(output, root)
    progress.remember(lab, under, [], error, root)
    return Standing(lab, error=error)


def graded_apart(lab: Lab, root: Path, *options: str) -> tuple[list[Record], str]:
    """The records of a run of the suite in a process of its own, none where the file cannot be loaded; its output."""
    with TemporaryDirectory(prefix="labkit-graded-") as folder:
        report = Path(folder) / "records.json"
        command = [sys.executable, "-m", "pytest", "-q", "--no-header", "-p", "no:cacheprovider"]
        command += [f"tests/test_{lab.stem}.py", "--json", str(report), *options]
        environment = {"OMP_NUM_THREADS": "1"} | os.environ | {"NO_COLOR": "1"}
        ran = subprocess.run(command, cwd=root, env=environment, capture_output=True, text=True, errors="replace")
        found = json.loads(report.read_text(encoding="utf-8"))["records"] if report.exists() else []
    return [Record(**record) for record in found], ran.stdout + ran.stderr


def why_it_did_not_run(output: str, root: Path = ROOT) -> str:
    """The line in which pytest says why a lab file cannot be tested: a syntax error, an exception at import."""
    named = [line.partition("ERROR: ")[2] for line in output.splitlines() if line.startswith("ERROR: ")]
    said = named[0] if named else (output.strip().splitlines() or ["the tests ended without a word"])[-1]
    return f"mend {said.replace(f'{root}{os.sep}', '')}" if named else f"the tests did not run: {said}"
