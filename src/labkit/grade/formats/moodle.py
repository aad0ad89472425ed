"""Points in the grading worksheet of an assignment in Moodle, which is downloaded there and uploaded again.

Moodle finds a student by the number at the end of Identifier, "Participant 1234", which is also in the folder that it
exports of each submission. It reads Grade, and Last modified (grade), which says whether the worksheet is out of date.
Grades above Maximum Grade it skips without a word.
https://docs.moodle.org/en/Assignment_activity (Offline grading worksheet)
https://github.com/moodle/moodle/blob/main/mod/assign/feedback/offline/importgradeslib.php
"""

import re
from collections.abc import Sequence

from labkit.course.errors import LabError
from labkit.grade.formats.gradebook import Gradebook, Merged, merge
from labkit.grade.results import Result


def into_moodle(results: Sequence[Result], worksheet: bytes, name: str = "--worksheet") -> Merged:
    """The worksheet with points; `name` is what messages call it.

    Raises:
        LabError: it is no grading worksheet, or the assignment takes fewer points than the lab has.
    """
    book = Gradebook.read(worksheet, name)
    identifier, grade = book.column("Identifier", name), book.column("Grade", name)
    book.column("Last modified (grade)", name)
    optional = {title: at for at, title in enumerate(book.header)}
    most = max((result.max_points for result in results), default=0)
    if (at := optional.get("Maximum Grade")) is not None:
        for row in book.rows:
            if re.fullmatch(r"\d+([.,]\d+)?", row[at]) and float(row[at].replace(",", ".")) < most:
                says = f"the assignment takes {row[at]} points, the lab has {most}"
                raise LabError(f"{name}: {says}; set its maximum in Moodle first")
    can_change = optional.get("Grade can be changed")

    def locked(row: list[str]) -> str:
        return "its grade is locked in Moodle" if can_change is not None and row[can_change] == "No" else ""

    return merge(book, book.rows, grade, results, lambda row: set(re.findall(r"\d+$", row[identifier].strip())), locked)
