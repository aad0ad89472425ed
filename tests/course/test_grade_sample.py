"""`make sample-class` writes a class of every kind of submission."""

import zipfile
from pathlib import Path

import pytest
from small_course import BOTH_STEPS, Course, small_course

SQUARES = '"""the number is squared."""\ndef double(x):\n    return x * x\n'


@pytest.fixture
def course(tmp_path: Path) -> Course:
    course = small_course(tmp_path / "course")
    for name, text in {"solutions/tiny.py": BOTH_STEPS, "tests/mistakes/tiny/1_doubling/squares.py": SQUARES}.items():
        (course.root / name).parent.mkdir(parents=True, exist_ok=True)
        (course.root / name).write_text(text)
    course.lab.paths.misconceptions.write_text("{}")
    return course


def test_the_class_has_every_kind_of_submission(course: Course, tmp_path: Path) -> None:
    folder = tmp_path / "class"
    ran = course.labkit("sample-class", "07", str(folder))
    assert ran.out.splitlines() == [
        f"written: 8 submissions in {folder}", f"Next: make grade LAB=07 SUBMISSIONS={folder} OUT=../graded",
    ]  # fmt: skip
    texts = {path.parent.name: path.read_text() for path in folder.rglob("*_file_/tiny.py")}
    assert texts["Lovelace Ada_10431_assignsubmission_file_"] == BOTH_STEPS
    assert texts["Noether Emmy_10432_assignsubmission_file_"] == course.lab.paths.skeleton.read_text()
    assert (folder / "turingalan_4711_99101_tiny-1.py").read_text().endswith(SQUARES)
    with zipfile.ZipFile(folder / "hamiltonmargaret_4712_99102_lab.zip") as archive:
        assert archive.read("lab/tiny.py").decode() == BOTH_STEPS


def test_a_folder_that_is_there_is_left_alone(course: Course, tmp_path: Path) -> None:
    ran = course.labkit("sample-class", "07", str(tmp_path))
    assert (ran.code, ran.err) == (1, f"labkit: {tmp_path}: is already there; name a folder that does not exist\n")
