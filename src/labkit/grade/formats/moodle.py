"""Points in the grading worksheet of an assignment in Moodle, which is downloaded there and uploaded again.

Its titles are in the language of the teacher who downloads it, its order is always the same: first "Participant 1234",
by whose number Moodle finds a student, and which is also in the folder that it exports of each submission; later the
grade, and right of that the maximum. Grades above the maximum it skips without a word.
https://docs.moodle.org/en/Assignment_activity (Offline grading worksheet)
https://github.com/moodle/moodle/blob/main/mod/assign/gradingtable.php
https://github.com/moodle/moodle/blob/main/mod/assign/feedback/offline/importgradeslib.php
"""

import re
from collections.abc import Sequence

from labkit.course.errors import LabError
from labkit.grade.formats.gradebook import Gradebook, Merged, merge, number
from labkit.grade.results import Result

CAN_CHANGE = "Grade can be changed"  # in another language Moodle alone knows which grades are locked


def into_moodle(
    results: Sequence[Result], worksheet: bytes, name: str = "--worksheet", column: str = "", id_column: str = ""
) -> Merged:
    """The worksheet with points; `name` is what messages call it. `column` and `id_column` are the titles of the
    grades' and the participants' columns, where they cannot be found by what they hold.

    Raises:
        LabError: it is no grading worksheet, or the assignment takes fewer points than the lab has.
    """
    book = Gradebook.read(worksheet, name)
    identifier = book.column(id_column, name) if id_column else 0
    if not all(map(_participant, (row[identifier] for row in book.rows))):
        says = f"{book.header[identifier]!r} does not hold numbers of participants"
        raise LabError(f"{name}: {says}; name the column that does with --id-column; {book.columns()}")
    grade = book.column(column, name) if column else _grade(book, name)
    most = max((result.max_points for result in results), default=0)
    if (taken := _maximum(book, grade)) is not None and taken < most:
        says = f"the assignment takes {taken:g} points, the lab has {most}"
        raise LabError(f"{name}: {says}; change its maximum in Moodle first")
    can_change = book.header.index(CAN_CHANGE) if CAN_CHANGE in book.header else None

    def locked(row: list[str]) -> str:
        return "its grade is locked in Moodle" if can_change is not None and row[can_change] == "No" else ""

    def names(row: list[str]) -> set[str]:
        return set(_participant(row[identifier]))

    def shown(row: list[str]) -> str:  # the name stands after the number, unless Moodle hides it
        return ", ".join(cell.strip() for cell in row[identifier : identifier + 2])

    return merge(book, book.rows, grade, results, names, shown, locked)


def _participant(cell: str) -> list[str]:
    return re.findall(r"\d+$", cell.strip())


def _grade(book: Gradebook, name: str) -> int:
    """The column of the grades: by its English title, else the one that has the maximum to its right."""
    english = [at for at, title in enumerate(book.header) if title.strip() == "Grade"]
    found = english or [at for at in range(1, len(book.header)) if _maximum(book, at) is not None]
    if len(found) != 1:
        raise LabError(f"{name}: which column has the grades? Name it with --column; {book.columns()}")
    return found[0]


def _maximum(book: Gradebook, grade: int) -> float | None:
    """The number that all cells to the right of the grades have, if these are grades and it is their maximum."""
    grades = [number(row[grade]) for row in book.rows if row[grade].strip() not in ("", "-")]
    right = {number(row[grade + 1]) for row in book.rows} if grade + 1 < len(book.header) else set()
    if None in grades or len(right) != 1 or None in right:
        return None
    return right.pop()
