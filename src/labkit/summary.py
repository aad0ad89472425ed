"""What a graded run says on the terminal: the failures, the steps with their points, and the one next thing to do."""

import argparse
from collections import Counter
from pathlib import Path

import pytest

from labkit.diagnosis import diagnose, misconceptions
from labkit.manifest import ROOT, Lab, Step
from labkit.records import Record

BAR = 20  # characters
FAILURES_SHOWN = 5  # of the first step that has any; all with -v
WIDTH = 100  # of a line; longer values are cut


def write(
    terminal: pytest.TerminalReporter, lab: Lab, records: list[Record], path: Path, option: argparse.Namespace
) -> None:
    """Writes the summary of one lab to pytest's terminal."""
    terminal.ensure_newline()
    failed = [record for record in records if record.state in ("failed", "timeout")]
    verbose = terminal.verbosity > 0
    first = [record for record in failed if record.step == min(failure.step for failure in failed)]
    shown = failed if verbose else first[:FAILURES_SHOWN]
    for record in shown:
        _write_failure(terminal, record)
    if len(failed) > len(shown):
        terminal.write_line("")
        terminal.write_line(f"  and {len(failed) - len(shown)} more; pytest -v shows them all")
    looks_like = diagnose(records, misconceptions(lab)) if failed else ""
    if looks_like:
        terminal.write_line("")
        terminal.write_line(looks_like, yellow=True, bold=True)
    _write_steps(terminal, lab, records, _short(path))
    _write_next(terminal, lab, records, _short(path), option)


def _write_failure(terminal: pytest.TerminalReporter, record: Record) -> None:
    terminal.write_line("")
    terminal.write_line(f"{record.id} (step {record.step}, {_points(record.points)})", red=True, bold=True)
    for title, text in (
        ("got", record.got),
        ("expected", record.expected),
        ("cause", record.why),
        ("read", record.read),
    ):
        terminal.write_line(f"  {title + ':':10}{_one_line(text)}")


def _write_steps(terminal: pytest.TerminalReporter, lab: Lab, records: list[Record], path: str) -> None:
    terminal.write_line("")
    terminal.write_line(f"Lab {lab.number:02d}: {lab.title}, {path}", bold=True)
    for step in lab.steps:
        own = [record for record in records if record.step == step.number]
        if not own:
            continue
        earned, points = sum(record.earned for record in own), sum(record.points for record in own)
        counts = Counter(record.state for record in own)
        states = ", ".join(
            f"{counts[state]} {state}" for state in ("passed", "failed", "timeout", "todo", "blocked") if counts[state]
        )
        filled = round(BAR * earned / points)
        bar = "#" * filled + "." * (BAR - filled)
        terminal.write_line(
            f"  {step.number} {step.title:<34} [{bar}] {earned:3} of {points:3}  {states}", green=earned == points
        )
    total = sum(record.earned for record in records)
    terminal.write_line(f"  {'':36} {'points':>{BAR + 2}} {total:3} of {sum(record.points for record in records):3}")


def _write_next(
    terminal: pytest.TerminalReporter, lab: Lab, records: list[Record], path: str, option: argparse.Namespace
) -> None:
    open_records = [record for record in records if record.state != "passed"]
    terminal.write_line("")
    if not open_records:
        terminal.write_line("Everything passed." if option.step is None else f"Step {option.step} passed.", green=True)
        return
    record = min(open_records, key=lambda record: (record.step, record.state != "failed"))
    step = lab.step(record.step)
    terminal.write_line(f"Next: {_next_thing(lab, step, record, path)}", bold=True)
    impl = "" if option.impl == "src" else f" IMPL={option.impl}"
    terminal.write_line(f"      Read {lab.reading}#{step.read}, then: make test-{lab.name} STEP={step.number}{impl}")


def _next_thing(lab: Lab, step: Step, record: Record, path: str) -> str:
    if record.state in ("todo", "blocked"):
        needed = lab.stub_messages()[record.needs]
        return f"step {needed}, write {record.needs.partition(': ')[2]} in {path}"
    return f"step {step.number}, mend what {record.id} shows"


def _one_line(text: str) -> str:
    text = " ".join(text.split())
    return text if len(text) <= 4 * WIDTH else text[: 4 * WIDTH - 3] + "..."


def _points(points: int) -> str:
    return "1 point" if points == 1 else f"{points} points"


def _short(path: Path) -> str:
    return str(path.relative_to(ROOT)) if path.is_relative_to(ROOT) else str(path)
