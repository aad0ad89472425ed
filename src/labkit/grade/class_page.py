"""The page of a class for its teacher: how it did, where, what it misunderstood, who is stuck, what has changed."""

from collections.abc import Sequence

from markupsafe import Markup

from labkit.course.lab import Lab
from labkit.course.screen import visible
from labkit.grade.classroom import Classroom
from labkit.grade.results import Standing
from labkit.grade.student_page import STUDENTS, TEMPLATES, page_name
from labkit.judge.diagnosis import misconceptions
from labkit.judge.lines import cut
from labkit.report.rows import Row, code, environment

NAME = 30  # characters of a name that are shown in a list
REASON = 300  # and of a reason
UNJUDGED = "\N{EN DASH}"


def class_page(lab: Lab, standings: Sequence[Standing]) -> str:
    """The page as HTML, complete in itself, with links to the students' pages; equal results give equal pages.

    Raises:
        LabError: the lab's known mistakes cannot be read.
    """
    room = Classroom(lab, standings, misconceptions(lab))
    levels = sorted({result.isolation for result in room.results})
    return (
        environment(TEMPLATES)
        .get_template("class.html.jinja")
        .render(
            lab=lab,
            room=room,
            levels=levels,
            weak=[level for level in levels if level.weak],
            share=share,
            shade=shade,
            full=visible,
            sentence=lambda says: sentence(lab, says),
            name=lambda result: cut(visible(result.submission), NAME),
            reason=lambda result: cut(visible(result.reason), REASON),
            page=lambda result: f"{STUDENTS}/{page_name(result.submission)}",
        )
    )


def sentence(lab: Lab, says: str) -> Markup:
    """The text as a sentence: with a capital letter, unless it begins with a name of the code."""
    functions = {part for step in lab.steps for function in step.todo for part in function.split(".")}
    first = says.partition(" ")[0]
    return code(says if first in functions or not first.strip(":,").isalpha() else says[:1].upper() + says[1:])


def share(row: Row) -> str:
    """The share of points in percent: 100 is all of them, 0 none; a dash where nothing could be judged."""
    if not row.worth:
        return UNJUDGED
    percent = round(100 * row.earned / row.worth)
    return str(percent if row.earned in (0, row.worth) else min(99, max(1, percent)))


def shade(row: Row) -> str:
    """The class of the cell in the page's style."""
    percent = share(row)
    named = {UNJUDGED: "unjudged", "0": "none", "100": "all"}
    return named.get(percent) or ("few" if int(percent) < 50 else "some" if int(percent) < 80 else "most")
