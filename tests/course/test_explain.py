"""A test explains itself: what it asks for, why that matters, and where to read."""

from pathlib import Path

import pytest
from small_course import ONE_STEP, WRONG, Course, small_course

from labkit.course import manifest
from labkit.course.errors import LabError
from labkit.course.manifest import Behaviour
from labkit.course.records import Record
from labkit.judge import progress
from labkit.student.explain import explain, find

LAB04 = manifest.find("lab04")


@pytest.fixture
def course(tmp_path: Path) -> Course:
    return small_course(tmp_path)


def test_everything_about_one_test(course: Course) -> None:
    ran = course.labkit("explain", "lab07", "--test", "halve_is_half")
    assert (ran.code, ran.err) == (0, "")
    assert ran.out.splitlines() == [
        "test_halve_is_half (step 2: Halving, 4 points)",
        "  it asks:      halve(x) is half of x.",
        "  in practice:  Halves add up.",
        "  read:         docs/07_tiny.md#halving (line 7)",
        "  your code:    not written yet",
        "  run it alone: .venv/bin/python -m pytest tests/test_tiny.py -k",
        "                test_halve_is_half",
    ]


def test_what_it_asks_is_the_docstring_of_the_test(course: Course) -> None:
    """Also where the suite is split by step."""
    suite = course.root / "tests" / "test_tiny.py"
    text = suite.read_text()
    sentence = "Halving twice\n    is a quarter."
    split = course.root / "tests" / "suites" / "tiny" / "step_2.py"
    split.parent.mkdir(parents=True)
    split.write_text(text.replace("halve(x) is half of x.", sentence))
    suite.write_text("from suites.tiny.step_2 import *\n")
    said = [line.text for line in explain(course.lab, "halve")]
    assert "  it asks:      Halving twice is a quarter." in said


def test_without_a_name_it_is_the_one_to_work_on(course: Course) -> None:
    assert explain(course.lab, None)[0].text.startswith("test_double_is_twice ")


def test_without_a_name_and_without_knowledge_it_asks(course: Course) -> None:
    course.file.write_text(ONE_STEP)
    with pytest.raises(LabError, match="say which test: make explain-lab07 TEST=name"):
        explain(course.lab, None)


def test_known_failure_is_shown(course: Course) -> None:
    course.file.write_text(WRONG)
    record = Record("lab07", "test_double_is_twice", 1, 3, 0.1, "", "failed", got="9", expected="6")
    progress.remember(course.lab, progress.fingerprint(course.lab), [record])
    said = [line.text for line in explain(course.lab, "double")]
    assert "  your code:    failed; got 9, expected 6" in said


@pytest.mark.parametrize(
    "name",
    [
        "test_limit_of_zero_is_a_limit",
        "limit_of_zero_is_a_limit",
        "tests/test_mixed_precision.py::test_limit_of_zero_is_a_limit",
        "limit of zero",
        "Limit-of-Zero",
    ],
)
def test_name_may_be_written_in_many_ways(name: str) -> None:
    assert find(LAB04, name).id == "test_limit_of_zero_is_a_limit"


@pytest.mark.parametrize(
    ("name", "complaint"),
    [
        ("clipping", "has more than one test 'clipping'; did you mean test_clipping_limits_the_true_norm or "),
        ("cliping_limits_the_true_norm", "has no test .*; did you mean test_clipping_limits_the_true_norm"),
        ("zzz", "has no test 'zzz'; make test-lab04 shows their names"),
    ],
)
def test_name_that_means_nothing_gets_suggestions(name: str, complaint: str) -> None:
    with pytest.raises(LabError, match=complaint) as raised:
        find(LAB04, name)
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize(
    ("lab", "behaviour"),
    [(lab, behaviour) for lab in manifest.load_all() for behaviour in lab.behaviours],
    ids=lambda one: one.id if isinstance(one, Behaviour) else one.name,
)
def test_every_test_of_the_course_says_all_of_it(lab: manifest.Lab, behaviour: Behaviour) -> None:
    said = [text for line in explain(lab, behaviour.id) if not (text := line.text.strip()).startswith("file:")]
    labels = [text.partition(":")[0] for text in said[1:]]
    assert labels == ["it asks", "in practice", "read", "your code", "run it alone"]
    assert "(line " in said[-3]
