"""What a graded run says on the terminal: the failures, the steps with their points, and the one next thing to do."""

import argparse
import shutil
import textwrap
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING

from labkit.course.errors import LabError
from labkit.course.files import shown
from labkit.course.manifest import ROOT, Lab
from labkit.course.records import LOST, Record
from labkit.judge.diagnosis import diagnose, misconceptions

if TYPE_CHECKING:
    import pytest  # `make status` reads this file too, and need not wait for pytest

BAR = 20  # characters
FAILURES_SHOWN = 5  # of the first step that has any; all with -v
SAME_SHOWN = 3  # names of tests that one error stops
PRINTED = 8  # lines of what the code printed that are shown
WIDTH = 100  # of a line; longer values are cut


def write(
    terminal: "pytest.TerminalReporter", lab: Lab, records: list[Record], path: Path, option: argparse.Namespace
) -> None:
    """Writes the summary of one lab to pytest's terminal."""
    terminal.ensure_newline()
    failed = [record for record in records if record.state in LOST]
    verbose = terminal.verbosity > 0
    first = [record for record in failed if record.step == min(other.step for other in failed)]
    told = [[record] for record in failed] if verbose else _alike(first)[:FAILURES_SHOWN]
    for record, *others in told:
        _write_failure(terminal, record)
        if others:
            names = ", ".join([*(other.id for other in others[:SAME_SHOWN]), *(["..."] if others[SAME_SHOWN:] else [])])
            _say(terminal, f"  {'same in:':10}{len(others)} more: {names}", 12)
    left = len(failed) - sum(map(len, told))
    if left:
        terminal.write_line("")
        command = f".venv/bin/python -m pytest -v tests/test_{lab.stem}.py --impl {option.impl}"
        command += f" --step {option.step}" if option.step else ""
        _say(terminal, f"  and {left} more; all of them: {command}", 2)
    looks_like = diagnosis_of(lab, records) if failed else ""
    if looks_like:
        terminal.write_line("")
        _say(terminal, looks_like, 2, yellow=True, bold=True)
    for record in records:
        if record.note and record.state == "passed" and not failed:
            terminal.write_line("")
            terminal.write_line(record.note)
    _write_steps(terminal, lab, records, shown(path, ROOT))
    _write_next(terminal, lab, records, shown(path, ROOT), option)


def _alike(records: list[Record]) -> list[list[Record]]:
    """The failures, those together that Python stopped at the same line for the same reason."""
    groups: dict[str, list[Record]] = {}
    for record in records:
        groups.setdefault(record.got if record.is_slip else record.id, []).append(record)
    return list(groups.values())


def failure(record: Record) -> tuple[str, ...]:
    """A failure as it is shown: its title, then its four lines."""
    lines = (("got", record.got), ("expected", record.expected), ("cause", record.why), ("read", record.read))
    title = f"{record.id} (step {record.step}, {points(record.points)})"
    return title, *(f"  {name + ':':10}{_one_line(text)}" for name, text in lines)


def printed_lines(record: Record) -> list[str]:
    """The last of what the code printed before it failed, in the columns of the four lines."""
    lines = record.printed.strip().splitlines()[-PRINTED:]
    return [f"  {'' if index else 'printed:':10}{text}" for index, text in enumerate(lines)]


def _write_failure(terminal: "pytest.TerminalReporter", record: Record) -> None:
    title, *lines = failure(record)
    terminal.write_line("")
    terminal.write_line(title, red=True, bold=True)
    for line in [*lines, *printed_lines(record)]:
        _say(terminal, line, 12)


def _say(terminal: "pytest.TerminalReporter", text: str, indent: int, **markup: bool) -> None:
    """Writes a line, on a terminal wrapped to its width; a word that is longer, a path or a name, stays whole."""
    pieces = [text]
    if terminal.isatty:
        columns = shutil.get_terminal_size().columns - 1
        below = " " * indent
        pieces = textwrap.wrap(text, columns, subsequent_indent=below, break_long_words=False, break_on_hyphens=False)
    for piece in pieces or [""]:
        terminal.write_line(piece, **markup)


def _write_steps(terminal: "pytest.TerminalReporter", lab: Lab, records: list[Record], path: str) -> None:
    terminal.write_line("")
    terminal.write_line(f"Lab {lab.number:02d}: {lab.title}, {path}", bold=True)
    for step in lab.steps:
        own = [record for record in records if record.step == step.number]
        if not own:
            continue
        earned, worth = sum(record.earned for record in own), sum(record.points for record in own)
        terminal.write_line(
            f"  {step.number} {step.title:<34} {bar(earned, worth)} {earned:3} of {worth:3}  {states(own)}",
            green=earned == worth,
        )
    total = sum(record.earned for record in records)
    terminal.write_line(f"  {'':36} {'points':>{BAR + 2}} {total:3} of {sum(record.points for record in records):3}")


def bar(earned: int, worth: int) -> str:
    """How far one has come, in `BAR` characters between brackets; full at the end only."""
    filled = BAR * earned // worth
    return f"[{'#' * filled}{'.' * (BAR - filled)}]"


def states(records: list[Record]) -> str:
    """How many tests are in which state: "15 passed, 5 failed"."""
    counts = Counter(record.state for record in records)
    named = ("passed", "failed", "timeout", "todo", "blocked")
    return ", ".join(f"{counts[state]} {state}" for state in named if counts[state])


def _write_next(
    terminal: "pytest.TerminalReporter", lab: Lab, records: list[Record], path: str, option: argparse.Namespace
) -> None:
    record = next_record(records)
    terminal.write_line("")
    if record is None:
        terminal.write_line(_all_passed(lab, records, option.step), green=True)
        return
    step = lab.step(record.step)
    _say(terminal, f"Next: {next_thing(lab, record, path)}", 6, bold=True)
    impl = "" if option.impl == "src" else f" IMPL={option.impl}"
    _say(terminal, f"      Read {to_read(lab, record)}, then: make test-{lab.name} STEP={step.number}{impl}", 6)
    if not impl:
        _say(terminal, f"      Stuck? {help_for(lab, record)}", 6)


def _all_passed(lab: Lab, records: list[Record], step: int | None) -> str:
    if len(records) == len(lab.behaviours):
        return "Everything passed."
    if step is None or len(records) < sum(one.step == step for one in lab.behaviours):
        return f"All that ran passed: {len(records)} of {len(lab.behaviours)} tests."
    following = next((other for other in lab.steps if other.number > step), None)
    if following is None:
        return f"Step {step} passed."
    return (
        f"Step {step} passed. Next: {following.number}, {following.title}: make test-{lab.name} STEP={following.number}"
    )


def diagnosis_of(lab: Lab, records: list[Record]) -> str:
    """What the failures look like; what is wrong with the known misconceptions, where they cannot be read."""
    try:
        return diagnose(records, misconceptions(lab))
    except LabError as error:
        return str(error)


def next_record(records: list[Record]) -> Record | None:
    """The one record to work on now: of the first step that is not passed, a failure before what is not written."""
    open_records = [record for record in records if record.state != "passed"]
    return min(open_records, key=lambda record: (record.step, record.state not in LOST), default=None)


def next_thing(lab: Lab, record: Record, path: str) -> str:
    """What to do about `record`: "step 2, write scaled_backward in src/mixed_precision.py"."""
    if record.state in ("todo", "blocked"):
        needed = lab.stub_messages()[record.needs]
        return f"step {needed}, write {record.needs.partition(': ')[2]} in {path}"
    return f"step {record.step}, mend what {record.id} shows"


def to_read(lab: Lab, record: Record) -> str:
    """Where the reading speaks of `record`: of what a test asks, or of its step while that is not written."""
    return record.read if record.state in LOST else f"{lab.reading}#{lab.step(record.step).read}"


def help_for(lab: Lab, record: Record) -> str:
    """The commands that help with `record`."""
    hint = f"make hint-{lab.name} STEP={needed_step(lab, record)}"
    if record.state not in LOST:
        return hint
    return f"{hint}, or why it matters: make explain-{lab.name} TEST={record.id.removeprefix('test_')}"


def needed_step(lab: Lab, record: Record) -> int:
    """The step in which something has to be written for `record` to pass: another's, where it is blocked by a stub."""
    return lab.stub_messages().get(record.needs, record.step)


def _one_line(text: str) -> str:
    text = " ".join(text.split())
    return text if len(text) <= 4 * WIDTH else text[: 4 * WIDTH - 3] + "..."


def points(number: int) -> str:
    return "1 point" if number == 1 else f"{number} points"
