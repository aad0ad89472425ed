"""Writes the pages of a batch: `class.html`, and a page for each student in the folder `students`."""

from collections.abc import Sequence
from pathlib import Path

from labkit.course.files import make_folder, write_whole
from labkit.course.lab import Lab
from labkit.grade.class_page import class_page
from labkit.grade.results import Standing
from labkit.grade.student_page import STUDENTS, page_name, student_page


def write_pages(lab: Lab, out: Path, standings: Sequence[Standing]) -> list[Path]:
    """Writes all pages into the folder of the results, from them alone; gives the class's and the students' folder.

    Raises:
        LabError: a page cannot be written, or the lab's known mistakes cannot be read.
    """
    folder = out / STUDENTS
    make_folder(folder, "--out")
    for standing in standings:
        result = standing.result
        write_whole(folder / page_name(result.submission), student_page(lab, result).encode())
    write_whole(out / "class.html", class_page(lab, standings).encode())
    return [out / "class.html", folder]
