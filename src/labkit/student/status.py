"""`make status`: every lab in a line, the one to work on with its steps, and the one next thing to do."""

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from labkit.course import manifest
from labkit.course.errors import LabError
from labkit.course.files import shown
from labkit.course.manifest import ROOT, Behaviour, Lab
from labkit.course.records import Record, State
from labkit.course.screen import Line
from labkit.judge import lines as judged
from labkit.judge import progress
from labkit.judge.lines import all_passed, bar, cut, install_lines, step_lines, stuck_line
from labkit.judge.summary import SETTLED, Score, asked_of, needed_step, next_record, states
from labkit.student.apart import FIX, graded_apart, why_it_did_not_run

TITLE = 28  # columns of a lab's title in its one line
ROUND = 5  # minutes; an estimate is no clock


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
            if states.get(behaviour.id, State.TIMEOUT) == State.TIMEOUT:
                return behaviour.id in states
        return True

    def passed(self, number: int) -> bool:
        """Whether everything of the step has been run, and nothing of it is left to do."""
        asked = sum(behaviour.step == number for behaviour in self.lab.behaviours)
        return asked == sum(record.state in SETTLED for record in self.of_step(number))

    @property
    def open(self) -> bool:
        """Whether something is left to do."""
        return bool(self.error) or next_record(self.records) is not None

    @property
    def begun(self) -> bool:
        """Whether the student has written something."""
        return bool(self.error) or any(one.state not in (State.TODO, State.SKIPPED) for one in self.records)

    def minutes_left(self) -> int:
        """An estimate: of every step's minutes the share of the points that are open, rounded up."""
        left = 0.0
        for step in self.lab.steps:
            score = Score.of(asked_of(self.lab, step.number), self.of_step(step.number))
            left += step.minutes * (1 - score.earned / score.worth) if score.worth else 0.0
        return ROUND * math.ceil(round(left, 6) / ROUND)


def known(lab: Lab) -> Standing:
    """What is known without running anything: perhaps nothing, perhaps of some steps only; never of an older file."""
    file = shown(lab.paths.student, lab.paths.root)
    try:
        written = progress.written(lab)
    except LabError as error:
        return Standing(lab, error=str(error))
    if written is None:
        return Standing(lab, error=f"{file} is not there; make reset-{lab.name} puts the skeleton in place")
    if written == _skeleton(lab):
        return Standing(lab, [_stub_record(lab, behaviour) for behaviour in lab.behaviours])
    return Standing(lab, *progress.recall(lab))


def standing(lab: Lab, say: Callable[[str], None] = lambda text: None) -> Standing:
    """How the student stands in `lab`; runs the suite only if its verdicts on the file as it is are not all known.

    A test that gave no answer ends the run: the others would wait as long, and until the file changes no run repeats
    it.
    """
    before = known(lab)
    if before.error or before.whole:
        return before
    say(f"{shown(lab.paths.student, lab.paths.root)} has changed: testing it")
    return _tested(lab)


def current_step(lab: Lab) -> int:
    """The step to work on, as far as that is known without running anything.

    Raises:
        LabError: it is not known.
    """
    record = next_record(known(lab).records)
    if record is None:
        raise LabError(f"say which step, 1 to {len(lab.steps)}: STEP=1; make status shows where you are")
    return needed_step(lab, record)


# The lines ----------------------------------------------------------------------------------------------------------


def course_lines(root: Path = ROOT, say: Callable[[str], None] = lambda text: None) -> list[Line]:
    """What `make status` says: one next thing for the whole course, whatever is wrong with one of the labs."""
    stands: list[Standing] = []
    broken: list[Line] = []
    for found in _labs(root):
        if isinstance(found, LabError):
            broken += [Line(str(found).replace(f"{root}/", ""), "yellow", 6)]
        else:
            stands.append(standing(found, say))
    chosen = _current(stands)
    if len(stands) == 1:
        return [*lines(stands[0]), *broken]
    said = [line for stand in stands for line in (_with_steps(stand) if stand is chosen else _in_a_line(stand))]
    said += [*broken, Line("")]
    if chosen is None:
        return [*said, Line("All that can run here passed." if stands else "There is no lab here.", "green")]
    return said + next_lines(chosen, f"Next, in {chosen.lab.name}")


def lines(stand: Standing) -> list[Line]:
    """What `make status` says of one lab."""
    return [*_with_steps(stand), Line(""), *next_lines(stand)]


def next_lines(stand: Standing, label: str = "Next") -> list[Line]:
    """The one next thing to do in a lab, and what helps with it."""
    lab = stand.lab
    record = next_record(stand.records)
    if stand.error:
        return [Line(f"{label}: {stand.error}", "bold", 6)]
    if record is None:
        more = f"      More inputs: make test-{lab.name} SEED=7. What comes next: {_handout(lab)}"
        return [all_passed(lab, stand.records), Line(more, indent=6)]
    path, there = shown(lab.paths.student, lab.paths.root), states(stand.of_step(record.step))
    said = judged.next_lines(lab, record, path, f"make watch-{lab.name}", f" ({there})", label)
    return [*said, stuck_line(lab, record)]


def _current(stands: list[Standing]) -> Standing | None:
    """The lab to work on, of those that are not done: one that was begun, else the course's first, else any."""
    left = [stand for stand in stands if stand.open]
    return min(left, key=lambda stand: (not stand.begun, not stand.lab.first), default=None)


def _with_steps(stand: Standing) -> list[Line]:
    lab, minutes = stand.lab, stand.minutes_left()
    left = f", about {minutes} min left" if minutes else ""
    steps = step_lines(lab, stand.records, total=left, untested=False)
    return [Line(f"Lab {lab.number:02d}: {lab.title}", "bold", 8), *steps, *install_lines(stand.records)]


def _in_a_line(stand: Standing) -> list[Line]:
    lab, score, minutes = stand.lab, Score.of(stand.lab.behaviours, stand.records), stand.minutes_left()
    text = f"Lab {lab.number:02d}: {cut(lab.title, TITLE):{TITLE}} {bar(score.earned, score.worth)}"
    text += f" {score.earned:3} of {score.worth:3}{f'  about {minutes} min left' if minutes else ''}"
    said = [Line(text, "green" if score.whole and score.worth else "")]
    if stand.error:
        said.append(Line(f"        {stand.error}", "", 8))
    return said + install_lines(stand.records)


def _labs(root: Path) -> Iterator[Lab | LabError]:
    """Every lab, or what is wrong with its manifest: that is no reason to say nothing of the others."""
    for path in manifest.manifests(root):
        try:
            yield manifest.load(path)
        except LabError as error:
            yield error


def _handout(lab: Lab) -> str:
    return shown(lab.paths.handout, lab.paths.root)


# What is known, and what is tested ----------------------------------------------------------------------------------


def _skeleton(lab: Lab) -> bytes | None:
    path = lab.paths.skeleton
    return path.read_bytes() if path.is_file() else None


def _stub_record(lab: Lab, behaviour: Behaviour) -> Record:
    """What the suite says of a behaviour whose functions are all stubs still."""
    missing = lab.missing(behaviour.step)
    stub = f"Step {behaviour.step}: {next(iter(lab.step(behaviour.step).todo))}"
    state, needs = (State.SKIPPED, ", ".join(missing)) if missing else (State.TODO, stub)
    read = f"{lab.reading}#{behaviour.read}"
    return Record(lab.name, behaviour.id, behaviour.step, behaviour.points, 0.0, read, state, needs=needs)


def _tested(lab: Lab) -> Standing:
    """Runs the suite in a process of its own; it remembers its verdicts itself."""
    file, under = shown(lab.paths.student, lab.paths.root), progress.fingerprint(lab)
    ran = graded_apart(lab, "--one-timeout")
    if progress.fingerprint(lab) != under:
        return Standing(lab, error=f"{file} was saved while it was tested: make status again")
    stand = Standing(lab, ran.records)
    if stand.whole:
        return stand
    error = why_it_did_not_run(lab, ran.output, ran.code)
    if error.startswith(f"{FIX}{file}"):  # what the machine lacked today is not kept
        progress.remember(lab, under, [], error)
    return Standing(lab, error=error)
