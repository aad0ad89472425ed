"""How a submission ended, from what its judge says, and what is kept of it."""

import csv
import io
from dataclasses import replace
from pathlib import Path

import pytest
from small_course import Course, small_course

from labkit.course.records import Record, State
from labkit.grade import batch, outcomes, results
from labkit.grade.intake import Submission
from labkit.grade.table import grades_csv
from labkit.judge.many import Judged
from labkit.observe.isolation import Level


@pytest.fixture(scope="module")
def course(tmp_path_factory: pytest.TempPathFactory) -> Course:
    return small_course(tmp_path_factory.mktemp("course"))


@pytest.mark.parametrize(
    ("said", "kept"),
    [
        ("<object object at 0x7f1c2a3b4c5d>", "<object object at 0x...>"),
        ("/tmp/tmpa1_b2c3d/x", "/tmp/tmp.../x"),
        ("/var/labkit-judge-a1_b2c3d/labkit-sandbox-a1_b2c3d/home/x",
         "/var/labkit-judge-.../labkit-sandbox-.../home/x"),
        ("/scratch/labkit-grade-x/0/tiny.py, line 3", "tiny.py, line 3"),
        ("bits 0x3f800000", "bits 0x3f800000"),
        ("name 'tmp_weights' is not defined", "name 'tmp_weights' is not defined"),
        ("loss = 0.12345678", "loss = 0.12345678"),
    ],
)  # fmt: skip
def test_what_changes_whenever_it_runs_is_not_kept(said: str, kept: str) -> None:
    judged = outcomes.cleaned(Judged((LOST.but(got=said, printed=said),), said), Path("/scratch/labkit-grade-x/0"))
    assert (judged.records[0].got, judged.records[0].printed, judged.error) == (kept, kept, kept)


ANN = Submission("ann", {"tiny.py": b"x = 1\n"})
LOST = Record("lab07", "test_double_is_twice", 1, 3, 0.1, "docs", state=State.FAILED)
HALF = Record("lab07", "test_halve_is_half", 2, 4, 0.1, "docs", state=State.PASSED, earned=4)


@pytest.mark.parametrize(
    ("judged", "outcome", "reason"),
    [
        (Judged((LOST, HALF)), "graded", ""),
        (Judged((LOST, HALF.but(state=State.GRADER_ERROR))), "grader_error", "no verdict on test_halve_is_half"),
        (Judged((LOST,)), "grader_error", "no verdict on test_halve_is_half"),
        (Judged((LOST, HALF), isolation="limits"), "grader_error", "it ran in isolation limits, not none"),
        (Judged(error="tiny.py, line 1: KeyError: 2"), "broken", "tiny.py, line 1: KeyError: 2"),
        (Judged(error="tiny.py: importing the file did not end within 20 s"), "timeout",
         "tiny.py: importing the file did not end within 20 s"),
        (Judged(error="tiny.py, line 1: while True: OutOfTime: no answer within 20 s"), "timeout",
         "tiny.py, line 1: while True: the import did not end within 20 s"),
        (Judged(error="isolation: no user is left"), "grader_error", "isolation: no user is left"),
        (Judged(error="ended at its limit of 9 s", ended=False), "timeout", "ended at its limit of 9 s"),
        (Judged(error="says who?", ended=False), "grader_error", "the process that graded it ended without verdicts"),
    ],
)  # fmt: skip
def test_what_is_not_the_submissions_fault_is_no_zero(
    judged: Judged, outcome: str, reason: str, course: Course
) -> None:
    state, says = outcomes.outcome(course.lab, Level.NONE, ANN.files, judged)
    assert (state, says) == (outcome, reason)
    result = results.Result("key", "ann", "lab07", 3, 7, state, says, records=judged.records)
    [row] = csv.DictReader(io.StringIO(grades_csv([result])))
    assert (row["points"] == "") == (outcome == "grader_error")


def test_a_grader_error_is_graded_again_and_changes_no_earlier_result(course: Course, tmp_path: Path) -> None:
    setting = batch.Setting(course.lab, tmp_path, b"s" * 32, Level.NONE)
    [(key, _)] = batch.pending(setting, [ANN])
    good = results.Result(key, "ann", "lab07", 4, 7, results.Outcome.GRADED)
    failed = replace(good, points=0, state=results.Outcome.GRADER_ERROR)
    for line in (good, failed):
        results.append(tmp_path, line)
    assert batch.pending(setting, [ANN]) == [(key, ANN)]
    results.append(tmp_path, replace(good, points=7))
    assert batch.pending(setting, [ANN]) == []
    assert results.read(tmp_path) == [results.Standing(replace(good, points=7), good)]


@pytest.mark.parametrize("name", ["=1+1", "+1", "-1", "@x", "\t=1", "\r=1"])
def test_no_cell_is_a_formula(name: str) -> None:
    result = results.Result("k", name, "lab07", 0, 7, results.Outcome.BROKEN, reason=name)
    [row] = csv.DictReader(io.StringIO(grades_csv([result])))
    for cell in (row["submission"], row["reason"]):
        assert cell[0] in "'\\"
        assert cell.isprintable()
