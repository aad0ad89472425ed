"""A folder of unseen answers is read strictly, and the report says what the suite makes of each."""

import json
from pathlib import Path

import pytest
from small_course import BOTH_STEPS, small_course

from labkit.course.errors import LabError
from labkit.course.records import Record
from labkit.proof.bank import Answer
from labkit.proof.grading import Graded, Job
from labkit.proof.unseen import Unseen, is_good_enough, read_folder, report

NOTES = {
    "squares.py": {"kind": "wrong", "idea": "The number is squared.", "sentence": "double adds x to itself"},
    "same.py": {"kind": "wrong", "idea": "Only the documentation is wrong.", "sentence": "double adds x to itself"},
    "product.py": {"kind": "right", "idea": "A product.", "sentence": ""},
}
ANSWERS = {
    "squares.py": "def double(x):\n    return x * x\n",
    "same.py": "def double(x):\n    return x + x\n",
    "product.py": "def double(x):\n    return 2 * x\n",
}


def writer(folder: Path, notes: object = NOTES, files: dict[str, str] = ANSWERS) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "notes.json").write_text(notes if isinstance(notes, str) else json.dumps(notes))
    for name, text in files.items():
        (folder / name).write_text(text)
    return folder


def test_writers_are_the_folders_with_notes(tmp_path: Path) -> None:
    writer(tmp_path / "w1")
    writer(tmp_path / "w2", {"a.py": {"kind": "right", "idea": "An idea."}}, {"a.py": "x = 1\n"})
    (tmp_path / "given").mkdir()
    assert [(who, one.name, one.kind) for who, one in read_folder(tmp_path)] == [
        ("w1", "squares", "wrong"), ("w1", "same", "wrong"), ("w1", "product", "right"), ("w2", "a", "right"),
    ]  # fmt: skip
    assert [who for who, _ in read_folder(tmp_path / "w2")] == ["w2"]


@pytest.mark.parametrize(
    ("notes", "said"),
    [
        ("{", "cannot be read as JSON"),
        ([], "must map each file"),
        ({**NOTES, "b.py": 3}, "must map each file"),
        ({**NOTES, "gone.py": {"kind": "wrong", "idea": "x"}}, "names gone.py, which is not beside it"),
        ({**NOTES, "same.py": {"kind": "odd", "idea": "x"}}, "same.py: kind must be wrong or right, not 'odd'"),
        ({**NOTES, "same.py": {"kind": "wrong"}}, "same.py: idea must say"),
        ({key: NOTES[key] for key in ("same.py", "product.py")}, "says nothing of squares.py"),
    ],
)
def test_bad_notes_get_one_line(notes: object, said: str, tmp_path: Path) -> None:
    with pytest.raises(LabError) as error:
        read_folder(writer(tmp_path / "w1", notes))
    assert said in str(error.value)
    assert "\n" not in str(error.value)


def test_what_is_no_writers_folder_gets_one_line(tmp_path: Path) -> None:
    with pytest.raises(LabError, match="there is no folder"):
        read_folder(tmp_path / "none")
    with pytest.raises(LabError, match=r"holds no notes\.json, and neither does a folder in it"):
        read_folder(tmp_path)
    with pytest.raises(LabError, match=r"same\.py, line 1: cannot be read as Python"):
        read_folder(writer(tmp_path / "w1", files=ANSWERS | {"same.py": "def ("}))


def seen(name: str, kind: str, state: str) -> Unseen:
    answer = Answer(name, kind, f"{name} is its idea.")
    record = Record("lab07", "test_it", 1, 1, 1.0, "docs", state=state)
    return Unseen("w1", answer, Graded(Job(answer, 0, ("test_it",)), (record,)))


def test_a_report_has_a_line_an_answer_and_totals() -> None:
    results = [
        seen("a", "wrong", "failed"), seen("b", "wrong", "passed"), seen("c", "right", "passed"),
        seen("d", "right", "timeout"),
    ]  # fmt: skip
    totals = "1 of 2 wrong answers caught (50%), 1 of 2 right ones accepted"
    assert report(results) == [
        "w1/a: caught by test_it",
        "w1/b: NOT CAUGHT: b is its idea.",
        "w1/c: accepted",
        "w1/d: REJECTED, though right, by test_it (timeout)",
        f"w1: {totals}",
        f"all: {totals}",
    ]


@pytest.mark.parametrize(("caught", "missed", "good"), [(19, 1, True), (18, 1, False), (0, 0, True)])
def test_95_percent_are_good_enough(caught: int, missed: int, good: bool) -> None:
    results = [seen("a", "wrong", "failed")] * caught + [seen("b", "wrong", "passed")] * missed
    assert is_good_enough(results) is good
    assert not is_good_enough([*results, seen("d", "right", "failed")])


@pytest.mark.timeout(300)
def test_a_folder_is_graded_by_the_suite(tmp_path: Path) -> None:
    course = small_course(tmp_path / "course")
    (course.root / "solutions").mkdir()
    (course.root / "solutions" / "tiny.py").write_text(BOTH_STEPS)
    ran = course.labkit("unseen", "lab07", str(writer(tmp_path / "w1")), TORCH="yes")
    assert ran.code == 1
    assert ran.out.splitlines() == [
        "w1/squares: caught by test_double_is_twice",
        "w1/same: NOT CAUGHT: Only the documentation is wrong.",
        "w1/product: accepted",
        "w1: 1 of 2 wrong answers caught (50%), 1 of 1 right ones accepted",
        "all: 1 of 2 wrong answers caught (50%), 1 of 1 right ones accepted",
    ]
