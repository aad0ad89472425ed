"""A submission's page for its student: points, what failed and why, what that looks like, and where to read."""

import hashlib
import re
from pathlib import Path

from labkit.course.lab import Lab
from labkit.course.records import LOST
from labkit.course.screen import visible
from labkit.grade.results import Result
from labkit.grade.told import hidden, public
from labkit.judge.lines import first_step
from labkit.judge.summary import diagnosis_of, next_record, next_thing
from labkit.report.rows import Row, environment, step_rows

TEMPLATES = Path(__file__).parent
STUDENTS = "students"  # the folder of these pages beside the class's


def student_page(lab: Lab, result: Result) -> str:
    """The page as HTML, complete in itself; equal results give equal pages.

    What the submission printed or is called is text in it, never markup. Of a test that the lab's manifest does not
    name, one of the instructor's own, the page has its name and its points.
    """
    records = list(result.records)
    secret, told = hidden(lab, records), public(lab, records)
    lost = [record for record in told if record.state in LOST]
    following = next_record(told)
    return (
        environment(TEMPLATES)
        .get_template("student.html.jinja")
        .render(
            lab=lab,
            result=result,
            name=visible(result.submission),
            visible=visible,
            steps=step_rows(lab, records, secret),
            all=Row(records, secret),
            open_step=first_step(lost)[0].step if lost else None,
            next=next_thing(lab, following, f"{lab.stem}.py") if following else "",
            diagnosis=diagnosis_of(lab, told),
        )
    )


def page_name(submission: str) -> str:
    """The name of a submission's page: readable, harmless in any file system, and no other submission's."""
    readable = re.sub(r"[^a-z0-9]+", "-", submission.lower())[:40].strip("-")
    digest = hashlib.sha256(submission.encode("utf-8", "surrogatepass")).hexdigest()[:10]
    return f"{readable}-{digest}.html".lstrip("-")
