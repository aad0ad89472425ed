"""What a run in watch comes to: how long a test may take, and how a run is told that ended before all was tested."""

import time
from pathlib import Path

import pytest
from small_course import Course, small_course

from labkit.course.screen import Line
from labkit.judge.lines import failure_lines
from labkit.student import events, verdict
from labkit.student.events import Deleted, Saved
from labkit.student.verdict import Run, end_lines


@pytest.fixture
def course(tmp_path: Path) -> Course:
    return small_course(tmp_path)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The monotonic clock; set it by its one item."""
    now = [1000.0]
    monkeypatch.setattr(time, "monotonic", lambda: now[0])
    return now


def started(course: Course, test: str = "test_double_is_twice", limit: float | None = None) -> Run:
    run = Run(course.lab, 1, 0, saved=time.monotonic(), limit=limit)
    run.take({"start": test})
    return run


def text(said: list[Line]) -> str:
    return "\n".join(line.text for line in said)


@pytest.mark.parametrize(
    ("seconds", "limit", "ends_after"),
    [
        ("", None, 30.0),
        ("seconds = 90\n", None, 90.0),
        ("seconds = 90\n", 4.0, 4.0 - verdict.GRACE),
        ("ranks = 2\n", None, 30.0 + verdict.RANKS),
    ],
)
def test_a_test_may_take_as_long_as_the_manifest_says(
    course: Course, clock: list[float], seconds: str, limit: float | None, ends_after: float
) -> None:
    """Right code that trains for 20 s is not ended as a loop; --limit replaces it."""
    path = course.root / "labs/lab07_tiny/lab.toml"
    path.write_text(path.read_text().replace("minutes = 5\n", f"minutes = 5\n{seconds}"))
    run = started(course, limit=limit)
    clock[0] += ends_after + verdict.GRACE - 0.1
    assert not run.overdue
    clock[0] += 0.2
    assert run.overdue
    run.stopped = True
    assert not run.overdue, "it has been ended already"


def test_a_file_that_does_not_load_is_overdue_too(course: Course, clock: list[float]) -> None:
    run = Run(course.lab, 1, 1, saved=clock[0], heard=clock[0])
    clock[0] += verdict.LOADING + 1
    assert run.overdue
    run.hung = run.stopped = True
    assert run.close({"end": None}) is None
    assert "src/tiny.py: loading it gave no answer, and was ended" in text(end_lines(run, {"end": None}, keys=True))


def test_a_hang_is_a_failure_like_any_other_and_totals_stay(course: Course) -> None:
    run = started(course)
    run.hung = run.stopped = True
    stack = f'  File "{course.file.resolve()}", line 6 in double\n'
    failed = run.close({"end": None, "stack": stack})
    said = text(failure_lines(failed))
    assert "test_double_is_twice (step 1, 3 points)" in said
    assert "got:      no answer within 30 s, src/tiny.py, line 6, in double" in said
    assert "0 of 7 points, 1 timeout, 1 not run" in text(end_lines(run, {"end": None}, keys=True))


def test_a_crash_is_the_failure_of_the_test_that_ran(course: Course) -> None:
    run = started(course)
    failed = run.close({"end": 3, "output": ""})
    assert failed.state == "crashed" and "your code ended Python itself (exit code 3)" in failed.got


def test_an_error_inside_pytest_is_not_the_students(course: Course) -> None:
    run = started(course)
    assert run.close({"end": 3, "output": "INTERNALERROR> x\nINTERNALERROR> KeyError: 'lab'\n"}) is None
    said = text(end_lines(run, {"end": 3}, keys=True))
    assert "the course's own machinery failed: INTERNALERROR> KeyError: 'lab'; not your fault" in said
    assert "your code" not in said.replace("no fault of your code", "")


def test_saves_are_told_once_when_the_file_rests(tmp_path: Path, clock: list[float]) -> None:
    file = tmp_path / "file.py"
    file.write_text("one")
    saves = events.Saves(file)
    assert list(saves.look()) == []
    file.write_text("")  # some editors empty it before they write
    assert list(saves.look()) == []
    clock[0] += events.SETTLED / 2
    file.write_text("three")
    assert list(saves.look()) == []
    clock[0] += 2 * events.SETTLED
    assert list(saves.look()) == [Saved(clock[0] - 2 * events.SETTLED)]
    assert list(saves.look()) == []
    file.unlink()
    assert list(saves.look()) == []
    clock[0] += 2 * events.GONE
    assert list(saves.look()) == [Deleted()]
