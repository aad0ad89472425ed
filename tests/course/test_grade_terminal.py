"""What an instructor sees of a batch on a terminal: every reason whole, and each submission as it ends."""

import re
import sys
from pathlib import Path

import pytest
from small_course import Course, small_course
from terminal import COLUMNS, Terminal

from labkit.course.screen import CONTROLS
from labkit.grade import commands
from labkit.grade.results import Outcome, Result

LONG = "a_notebook_with_a_long_name_that_somebody_has_handed_in.ipynb"


@pytest.fixture
def course(tmp_path: Path) -> Course:
    course = small_course(tmp_path / "course")
    for name, text in {f"Kowalska, Agnieszka_12345/{LONG}": "{}", "ann/a.py": "x = 1", "ann/b.py": "x = 2"}.items():
        path = course.root / "given" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return course


def test_reasons_are_wrapped_and_each_submission_is_told_as_it_ends(course: Course) -> None:
    weak = ("--isolation", "none", "--accept-weak-isolation")
    command = [sys.executable, "-m", "labkit", "grade", "lab07", "given", "--out", "out", *weak]
    shown = Terminal(command, course.root, course.environment(TERM="xterm"))
    try:
        assert shown.ended(100) == 0
        lines = CONTROLS.sub("", shown.text.replace("\r", "\n")).splitlines()
    finally:
        shown.close()
    assert max(map(len, lines)) <= COLUMNS
    text = " ".join(" ".join(lines).split())
    no_file = f"{LONG} is a notebook: download its code as a .py file, and hand that in"
    assert text.count(f"there is no tiny.py; {no_file}") == 3, "what was taken, as it ends, and at the end"
    assert re.search(r"\[1/2\] Kowalska, Agnieszka_12345: broken, 0 of 7 points \(.*\[2/2\] ann: broken, 0 of 7", text)


def test_what_the_grader_could_not_judge_has_no_points_yet() -> None:
    failed = Result("key", "ann", "lab07", 0, 7, Outcome.GRADER_ERROR, "no space left")
    assert commands._ended(failed) == "ann: grader error, no points yet (no space left)"
