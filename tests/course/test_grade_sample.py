"""`make sample-class` writes a class of every kind of submission."""

import zipfile
from pathlib import Path

import pytest
from small_course import BOTH_STEPS, Course, small_course
from warm_python import python

from labkit.course import manifest

LAB = manifest.find("lab04")
SQUARES = '"""the number is squared."""\ndef double(x):\n    return x * x\n'


# Judges the wrong submissions of the sample class under a seed that no proof has used, each on its own step's tests.
RECOGNISED = """
import sys
from labkit.course import manifest
from labkit.grade import sample
from labkit.judge.diagnosis import looks_like, misconceptions
from labkit.judge.many import Job, judge_many

lab = manifest.find(sys.argv[1])
wrong, known, names = sample._one_for_each_step(lab), misconceptions(lab), {}
jobs = [Job({"impl": "solutions", "overlay": str(one.overlay), "seed": "a class of another year"},
            tuple(test.id for test in lab.behaviours if test.step == one.step)) for one in wrong]

def take(number, judged):
    names[wrong[number].name] = [one.name for one in looks_like(list(judged.records), known)[1]]

judge_many(lab, jobs, take)
print(len(names), [name for name, found in names.items() if name not in found])
"""


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


def test_the_wrong_submissions_are_recognised_under_any_seed() -> None:
    ran = python("-c", RECOGNISED, LAB.name)
    assert (ran.out, ran.err) == (f"{len(LAB.steps)} []\n", "")
