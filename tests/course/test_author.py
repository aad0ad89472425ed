"""`make new-lab` refuses what cannot be a lab; `make check-labNN` finds what is left to write."""

from pathlib import Path

import pytest
from small_course import Course, small_course

from labkit.author import check_lab, new_lab
from labkit.course.errors import LabError


@pytest.fixture
def course(tmp_path: Path) -> Course:
    course = small_course(tmp_path)
    (course.root / "README.md").write_text("# A course\n")
    return course


@pytest.mark.parametrize(
    ("number", "stem", "steps", "complaint"),
    [
        (7, "small", 1, "number 7 is taken by lab07, Tiny; choose another"),
        (9, "tiny", 1, "stem 'tiny' is taken by lab07, Tiny; choose another"),
        (9, "profile", 1, "stem 'profile' would shadow the module of that name: choose another"),
        (9, "two-words", 1, "stem 'two-words' is no name for a module: use small letters"),
        (9, "../small", 1, "stem '../small' is no name for a module"),
        (-1, "small", 1, "number -1 is not one of 0 to 99"),
        (100, "small", 1, "number 100 is not one of 0 to 99"),
        (9, "small", 0, "a lab has 1 to 9 steps, not 0: STEPS=3"),
        (9, "small", 10, "a lab has 1 to 9 steps, not 10: STEPS=3"),
    ],
)
def test_what_cannot_be_a_lab_is_refused(course: Course, number: int, stem: str, steps: int, complaint: str) -> None:
    before = sorted(course.root.rglob("*"))
    with pytest.raises(LabError) as raised:
        new_lab.new_lab(number, stem, steps, course.root)
    assert str(raised.value).startswith(complaint) and "\n" not in str(raised.value)
    assert sorted(course.root.rglob("*")) == before


def test_file_in_the_way_is_left_alone(course: Course) -> None:
    (course.root / "src" / "small.py").write_text("# mine\n")
    with pytest.raises(LabError, match=r"^src/small\.py is there already; move it away, or choose another stem$"):
        new_lab.new_lab(9, "small", 1, course.root)
    assert not (course.root / "labs" / "lab09_small").exists()


def test_words_are_one_line_on_the_command_line(course: Course) -> None:
    ran = course.labkit("new-lab", "--number", "x", "--stem", "small", "--steps", "1")
    assert ran.code == 2 and ran.err.count("\n") == 1
    ran = course.labkit("new-lab", "--number", "7", "--stem", "small")
    assert (ran.code, ran.err) == (1, "labkit: number 7 is taken by lab07, Tiny; choose another\n")


def test_placeholders_are_found_where_people_write(course: Course) -> None:
    """Not in what is made from it: the table of steps, the stubs."""
    paths = course.lab.paths
    paths.reading.write_text("# Tiny\n\n[write: the whole reading]\n")
    paths.skeleton.write_text("# [write: nothing here]\n")
    assert list(check_lab.placeholders(course.lab)) == [
        "docs/07_tiny.md:3: the whole reading",
        "README.md: a line that links to labs/lab07_tiny/README.md",
    ]


def test_missing_file_is_all_that_is_checked(course: Course) -> None:
    checked = check_lab.check(course.lab)
    assert checked.wrong[0] == (
        "labs/lab07_tiny/lab.toml: solutions/tiny.py is missing: write it first: the skeleton is made from it"
    )
