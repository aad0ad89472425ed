"""`make explain-lab04 TEST=name`: what a test asks of the code, why that matters, and where to read about it."""

import difflib
import re

from labkit.course import pages, site
from labkit.course.errors import LabError
from labkit.course.files import shown
from labkit.course.manifest import Behaviour, Lab
from labkit.course.records import LOST, Record, State
from labkit.course.screen import Line
from labkit.judge.lines import page_lines
from labkit.judge.summary import next_record, points
from labkit.student import status

LABEL = 14  # columns


def explain(lab: Lab, name: str | None) -> list[Line]:
    """The test called `name`, or the one to work on now, in lines for the terminal.

    Raises:
        LabError: no test, or more than one, is meant by `name`; or none is given and none is known to be open.
    """
    stand = status.known(lab)
    behaviour = find(lab, name) if name else _open(lab, stand)
    record = next((record for record in stand.records if record.id == behaviour.id), None)
    step = lab.step(behaviour.step)
    rows = [
        ("it asks", lab.asks(behaviour)),
        ("in practice", behaviour.why),
        ("read", _where(lab, behaviour)),
        ("your code", _state(record)),
        ("run it alone", f".venv/bin/python -m pytest {shown(lab.paths.suite, lab.paths.root)} -k {behaviour.id}"),
    ]
    title = f"{behaviour.id} (step {step.number}: {step.title}, {points(behaviour.points)})"
    return [
        Line(title, "bold", 2),
        *(Line(f"  {label + ':':{LABEL}}{text}", "", LABEL + 2) for label, text in rows if text),
        *page_lines(site.address(f"{lab.reading}#{behaviour.read}", lab.paths.root), 2),
    ]


def find(lab: Lab, name: str) -> Behaviour:
    """The behaviour that `name` means: the test's name, with or without `test_`, or a part that no other test has."""
    wanted = name.strip().partition("::")[2] or name.strip()
    for same in (wanted, f"test_{wanted}"):
        for behaviour in lab.behaviours:
            if behaviour.id == same:
                return behaviour
    part = re.sub(r"\W+", "_", wanted.lower())
    having = [behaviour for behaviour in lab.behaviours if part in behaviour.id]
    if len(having) == 1:
        return having[0]
    names = [behaviour.id for behaviour in lab.behaviours]
    close = [one.id for one in having] or difflib.get_close_matches(f"test_{part}", names, n=3, cutoff=0.5)
    these = f"; did you mean {' or '.join(close[:5])}?" if close else f"; make test-{lab.name} shows their names"
    raise LabError(f"{lab.name} has {'more than one test' if having else 'no test'} {name!r}{these}")


def _open(lab: Lab, stand: status.Standing) -> Behaviour:
    record = next_record(stand.records)
    if record is None:
        raise LabError(f"say which test: make explain-{lab.name} TEST=name; make test-{lab.name} shows their names")
    return find(lab, record.id)


def _state(record: Record | None) -> str:
    if record is None:
        return "not tested since you changed it"
    if record.state in LOST:
        return f"{record.state}; got {record.got}, expected {record.expected}"
    return {
        State.TODO: "not written yet",
        State.BLOCKED: f"blocked: {record.needs} is not written yet",
        State.SKIPPED: f"not tested, and no points lost: {record.needs} is not installed",
        State.GRADER_ERROR: f"not judged, and no points lost: {record.got}",
    }.get(record.state, "passes")


def _where(lab: Lab, behaviour: Behaviour) -> str:
    """The heading, and its line for an editor that knows no anchors."""
    page = lab.paths.reading
    lines = dict(pages.headings(page.read_text(encoding="utf-8"))) if page.is_file() else {}
    line = f" (line {lines[behaviour.read]})" if behaviour.read in lines else ""
    return f"{lab.reading}#{behaviour.read}{line}"
