"""Writes records as lines for a terminal: the one renderer of the suite, of `make watch-lab04` and of `make status`.

Pure functions. A table line has 80 columns at most; the others are wrapped by `course.screen` where they are written.
"""

import re
from collections.abc import Callable, Collection, Iterable

from labkit.course.files import shown
from labkit.course.manifest import Lab, Step
from labkit.course.records import LOST, NO_EXCEPTION, Record, State
from labkit.course.screen import Line
from labkit.judge.summary import (
    Score,
    asked_of,
    diagnosis_of,
    failing_before,
    help_for,
    next_record,
    next_thing,
    points,
    to_read,
)

COLUMNS = 80
BAR = 10  # characters
TITLE = 30  # columns of a step's title
LABEL = 10  # columns of "expected: "
FAILURES_SHOWN = 5  # of the first step that has any
SAME_SHOWN = 3  # names of tests that one error stops
PRINTED = 8  # lines of what the code printed that are shown
LONGEST = 400  # characters of a value; longer ones are cut
PYTEST = ".venv/bin/python -m pytest"


def lines(
    lab: Lab,
    records: list[Record],
    path: str,
    *,
    impl: str = "src",
    step: int | None = None,
    asked: Collection[str] | None = None,
    verbose: bool = False,
) -> list[Line]:
    """All that a run says at its end: failures, what they look like, the points of every step, the next thing to do.

    `path` is the file under test as it is shown, `impl` and `step` are the options of the run, `asked` the names of
    the tests that it was to run, by default those of the step. `verbose` shows every failure.
    """
    lost = [record for record in records if record.state in LOST]
    told = [[record] for record in lost] if verbose else alike(first_step(lost))[:FAILURES_SHOWN]
    said = [line for group in told for line in (Line(""), *failure_lines(*group))]
    left = len(lost) - sum(map(len, told))
    if left:
        suite = shown(lab.paths.suite, lab.paths.root)
        command = f"{PYTEST} -v {suite} --impl {impl}{f' --step {step}' if step else ''}"
        said += [Line(""), Line(f"  and {left} more; all of them: {command}", "", 2)]
    said += [line for group in errors_alike(records) for line in (Line(""), *grader_error_lines(*group))]
    looks_like = diagnosis_of(lab, records) if lost else ""
    if looks_like:
        said += [Line(""), Line(looks_like, "bold yellow", 2)]
    if not lost:
        notes = [record.note for record in records if record.note and record.state == State.PASSED]
        said += [Line(text) for note in notes for text in ("", *note.splitlines())]
    said += [Line(""), Line(f"Lab {lab.number:02d}: {lab.title}, {path}", "bold", 8)]
    said += [*step_lines(lab, records, step, asked), *install_lines(records), Line("")]
    return said + _next_of_run(lab, records, path, impl, step, asked)


# Failures -----------------------------------------------------------------------------------------------------------


def failure_lines(record: Record, *same: Record) -> list[Line]:
    """A failure in its title and four lines, the last of what the code printed, and which tests failed the `same` way.

    A value that is too long is cut.
    """
    rows = (("got", record.got), ("expected", record.expected), ("cause", record.why), ("read", record.read))
    said = [Line(f"{record.id} (step {record.step}, {points(record.points)})", "bold red", 2)]
    said += [_row(name, _one_line(text)) for name, text in rows]
    printed = record.printed.strip().splitlines()[-PRINTED:]
    said += [Line(f"  {'' if index else 'printed:':{LABEL}}{text}", "dim", 12) for index, text in enumerate(printed)]
    if same:
        names = [*(other.id for other in same[:SAME_SHOWN]), *(["..."] if same[SAME_SHOWN:] else [])]
        said.append(_row("same in", f"{len(same)} more: {', '.join(names)}"))
    return said


def grader_error_lines(record: Record, *same: Record) -> list[Line]:
    """What failed in the suite or the machinery, which is no fault of the code under test."""
    also = f" The same in {len(same)} more." if same else ""
    title = f"{record.id} (step {record.step}): not judged, and no points lost"
    what = f"  the course's own machinery failed: {_one_line(record.got)}; not your fault.{also}"
    return [Line(title, "bold", 2), Line(what, "", 4), *([_row("to do", _one_line(record.why))] if record.why else [])]


def first_step(records: list[Record]) -> list[Record]:
    """The records of the first step that has any."""
    return [record for record in records if record.step == min(other.step for other in records)]


def alike(records: list[Record]) -> list[list[Record]]:
    """The failures, those together that one exception at one line of the code stopped."""
    return _grouped(records, lambda record: _stopped_at(record) or record.id)


def errors_alike(records: list[Record]) -> list[list[Record]]:
    """The failures of the machinery, those together that say the same."""
    return _grouped([record for record in records if record.state == State.GRADER_ERROR], lambda record: record.got)


def _grouped(records: Iterable[Record], key: Callable[[Record], str]) -> list[list[Record]]:
    groups: dict[str, list[Record]] = {}
    for record in records:
        groups.setdefault(key(record), []).append(record)
    return list(groups.values())


def _stopped_at(record: Record) -> str:
    """The exception and its line in the student's file, also where it came in the place of a value; "" if none."""
    before, _, after = record.got.rpartition(", line ")
    name = re.search(r"\b[A-Z]\w*(?=: )", before)
    if name and re.match(r"\d+[^:]*: ", after):
        return f"{name[0]} line {after}"
    return record.got if record.expected == NO_EXCEPTION else ""


def _row(name: str, text: str) -> Line:
    return Line(f"  {name + ':':{LABEL}}{text}", "", 2 + LABEL)


def _one_line(text: str) -> str:
    text = " ".join(text.split())
    return text if len(text) <= LONGEST else text[: LONGEST - 3] + "..."


# Steps and points ---------------------------------------------------------------------------------------------------


def step_lines(
    lab: Lab,
    records: list[Record],
    step: int | None = None,
    asked: Collection[str] | None = None,
    total: str = "",
    untested: bool = True,
) -> list[Line]:
    """A line for every step of a run, and one for all of them; `total` is added to that.

    `untested` counts the tests that were not run also where none was.
    """
    said = []
    for one in lab.steps:
        behaviours = asked_of(lab, step, asked)
        own = [behaviour for behaviour in behaviours if behaviour.step == one.number]
        if own:
            run = untested or any(record.step == one.number for record in records)
            said += _step_line(one, Score.of(own, records), run)
            if before := failing_before(lab, one.number, records):
                said.append(Line(f"    {may_follow(before)}", "dim", 4))
    whole = Score.of(asked_of(lab, step, asked), records)
    text = f"points {whole.earned:3} of {whole.worth:3}{whole.more()}{total}"
    below_bars = 4 + TITLE + 1 + BAR + 2 - len("points")
    return [*said, Line(" " * max(2, min(below_bars, COLUMNS - len(text))) + text, "", 6)]


def may_follow(step: int) -> str:
    return f"step {step} is not right yet; this may follow from it"


def _step_line(step: Step, score: Score, run: bool) -> list[Line]:
    """The states that find no place in 80 columns go below the first ones."""
    start = f"  {step.number} {cut(step.title, TITLE):{TITLE}} {bar(score.earned, score.worth)}"
    start += f" {score.earned:3} of {score.worth:3}  "
    style = "green" if score.whole and score.worth else ""
    rows = [start]
    for index, state in enumerate(score.states if run else ()):
        text = state + ("," if index < len(score.states) - 1 else "")
        if len(rows[-1]) + len(text) > COLUMNS:
            rows.append(" " * len(start))
        rows[-1] += f"{text} "
    return [Line(row.rstrip(), style) for row in rows]


def bar(earned: int, worth: int) -> str:
    """How far one has come, in `BAR` characters between brackets; full at the end only."""
    filled = BAR * earned // worth if worth else 0
    return f"[{'#' * filled}{'.' * (BAR - filled)}]"


def cut(text: str, columns: int) -> str:
    """The text in so many columns; what is left out becomes three dots."""
    return text if len(text) <= columns else f"{text[: columns - 3].rstrip()}..."


def install_lines(records: list[Record]) -> list[Line]:
    """How to install what kept tests from running."""
    names = sorted({record.needs for record in records if record.state == State.SKIPPED and record.needs})
    install = "  skipped, no points lost: .venv/bin/python -m pip install"
    return [Line(f"{install} {name.replace(',', '')}", "", 4) for name in names]


# What is next -------------------------------------------------------------------------------------------------------


def next_lines(lab: Lab, record: Record, path: str, then: str = "", more: str = "", label: str = "Next") -> list[Line]:
    """The one next thing to do, and where to read about it; `then` is the command to run afterwards."""
    return [
        Line(f"{label}: {next_thing(lab, record, path)}{more}", "bold", 6),
        Line(f"      Read {to_read(lab, record)}{f', then: {then}' if then else ''}", "", 6),
    ]


def stuck_line(lab: Lab, record: Record) -> Line:
    return Line(f"      Stuck? {help_for(lab, record)}", "", 6)


def _next_of_run(
    lab: Lab, records: list[Record], path: str, impl: str, step: int | None, asked: Collection[str] | None
) -> list[Line]:
    record = next_record(records)
    if record is None:
        return [all_passed(lab, records, step, asked)]
    mine = impl == "src"
    then = f"make test-{lab.name} STEP={record.step}{'' if mine else f' IMPL={impl}'}"
    return [*next_lines(lab, record, path, then), *([stuck_line(lab, record)] if mine else [])]


def all_passed(lab: Lab, records: list[Record], step: int | None = None, asked: Collection[str] | None = None) -> Line:
    """Where nothing is left to do: what passed, what was not judged, and the next step."""
    passed = sum(record.state == State.PASSED for record in records)
    if any(record.state == State.GRADER_ERROR for record in records):
        return Line(f"{passed} passed; what was not judged is no fault of your code: make doctor", "yellow", 2)
    if not step and len(records) == len(lab.behaviours):
        skipped = any(record.state == State.SKIPPED for record in records)
        return Line("All that can run here passed." if skipped else "Everything passed.", "green", 2)
    if not step or len(records) < len(asked_of(lab, step)):
        return Line(f"All that ran passed: {passed} of {len(lab.behaviours)} tests.", "green", 2)
    following = next((other for other in lab.steps if other.number > step), None)
    if following is None:
        return Line(f"Step {step} passed.", "green", 2)
    onward = f"Next: {following.number}, {following.title}: make test-{lab.name} STEP={following.number}"
    return Line(f"Step {step} passed. {onward}", "green", 2)
