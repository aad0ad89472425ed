"""How the grading of a submission ended, from what its judge says; of that, a submission has written a part."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import fields, replace
from pathlib import Path
from typing import TYPE_CHECKING

from labkit.course.errors import LabError
from labkit.course.manifest import Lab
from labkit.course.records import NO_SANDBOX, NOT_RUN, OVER, Record, State
from labkit.grade.results import Outcome, Result

if TYPE_CHECKING:  # it imports torch
    from labkit.judge.many import Judged

# What an error says of an import without an end: of that of a sandbox, and of one here. And of all of a submission.
OUT_OF_TIME, LATE = "OutOfTime: no answer within", "did not end within"
LIMIT = "ended at its limit"
# What is another in every run: addresses, as Python shows objects that have no text, and the names of tempfile.
CHANGING = re.compile(
    r"(?<= at 0x)[0-9a-f]{6,}\b|(?:(?<=/tmp)|(?<=/labkit-judge-)|(?<=/labkit-run-)|(?<=/labkit-sandbox-))[a-z0-9_]{8}\b"
)


def outcome(lab: Lab, level: str, files: Iterable[str], judged: "Judged") -> tuple[Outcome, str]:
    """How the grading ended, and why it gave no verdicts, or not all. Only an error that begins with the name of a
    file of the submission is its own: a sandbox that does not start is nobody's zero.
    """
    error = judged.error
    if not judged.ended:
        late = error.startswith(LIMIT)
        says = error if late else "the process that graded it ended without verdicts"
        return (Outcome.TIMEOUT if late else Outcome.GRADER_ERROR), says
    if error:
        own = error.startswith(tuple(files))
        error = error.replace(OUT_OF_TIME, f"the import {LATE}")
        return (Outcome.GRADER_ERROR if not own else Outcome.TIMEOUT if LATE in error else Outcome.BROKEN), error
    if judged.isolation != level:
        return Outcome.GRADER_ERROR, f"it ran in isolation {judged.isolation}, not {level}"
    states = {record.id: record.state for record in judged.records}
    for one in lab.behaviours:
        if states.get(one.id, State.GRADER_ERROR) == State.GRADER_ERROR:
            return Outcome.GRADER_ERROR, f"no verdict on {one.id}"
    return Outcome.GRADED, _cut_short(judged.records)


def check_hidden(lab: Lab, solution: "Judged") -> None:
    """Raises LabError unless the solution has passed the hidden tests. What a process that has run a submission says of
    a hidden scenario is no proof of anything; the solution is.
    """
    for record in solution.records:
        if record.state not in (State.PASSED, State.SKIPPED):
            wanted = f", where it expects {record.expected}" if record.expected else ""
            says = f"{record.id} fails the course's own solution: {record.got}{wanted}"
            raise LabError(f"tests/suites/{lab.stem}/hidden.py: {says}")
    if solution.error:
        raise LabError(f"tests/suites/{lab.stem}/hidden.py: cannot be tried on the solution: {solution.error}")


def fault_of_all(lab: Lab, result: Result) -> str:
    """Why there would be no verdict on any other submission either: no sandbox, or a hidden test that fails itself."""
    if result.state != Outcome.GRADER_ERROR:
        return ""
    failed = {record.id: record.got for record in result.records if record.state == State.GRADER_ERROR}
    for says in (result.reason, *failed.values()):
        if NO_SANDBOX in says:
            return f"{says[says.index(NO_SANDBOX) :]}; make doctor tries one; the results so far are kept"
    for one in lab.behaviours:
        if one.hidden and "the test itself" in failed.get(one.id, ""):
            return f"tests/suites/{lab.stem}/hidden.py: {one.id}: {failed[one.id]}"
    return ""


def _cut_short(records: Sequence[Record]) -> str:
    """Why some tests were not run, though all have a verdict; "" if all were."""
    left_out = [record.got for record in records if record.got.startswith((NOT_RUN, OVER))]
    return f"{len(left_out)} of {len(records)} tests not run: {left_out[0].removeprefix(NOT_RUN)}" if left_out else ""


def cleaned(judged: "Judged", folder: Path) -> "Judged":
    """The same without the path of the folder in which the submission lay, and without what is another whenever it is
    graded; with nothing that is no UTF-8; the error in one line.
    """

    def clean(text: str) -> str:
        text = CHANGING.sub("...", text.replace(f"{folder}/", ""))
        return text.encode("utf-8", "backslashreplace").decode()

    def clean_record(record: Record) -> Record:
        return record.but(**{one.name: clean(getattr(record, one.name)) for one in fields(record) if one.type is str})

    records, error = tuple(map(clean_record, judged.records)), " ".join(clean(judged.error).split())
    return replace(judged, records=records, error=error)
