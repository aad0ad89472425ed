"""Hints come one rung at a time, are remembered, and never are the solution."""

import ast
from pathlib import Path

import pytest
from small_course import Course, small_course

from labkit.course import manifest
from labkit.course.errors import LabError
from labkit.course.manifest import HINTS, Lab, Step
from labkit.student import hints

STEPS = [(lab, step) for lab in manifest.load_all() for step in lab.steps]


@pytest.fixture
def course(tmp_path: Path) -> Course:
    return small_course(tmp_path)


def hinted(course: Course, step: int) -> str:
    return "\n".join(line.text for line in hints.next_hint(course.lab, step))


def test_one_more_each_time(course: Course) -> None:
    rungs = course.lab.step(2).hints
    for seen in range(1, 4):
        said = hinted(course, 2)
        assert [rung in said for rung in rungs] == [count <= seen for count in (1, 2, 3)]
        assert ("make hint-lab07 STEP=2" in said) == (seen < 3)
    last = hinted(course, 2)
    assert all(rung in last for rung in rungs)
    assert "make explain-lab07" in last


def test_each_step_has_its_own_count(course: Course) -> None:
    hinted(course, 2)
    hinted(course, 2)
    assert "1 of 3, a question" in hinted(course, 1)
    assert "2 of 3" not in hinted(course, 1).partition("3 of 3")[0].partition("1 of 3")[0]


def test_forgotten_hints_begin_anew(course: Course) -> None:
    hinted(course, 1)
    hinted(course, 1)
    hints.forget(course.lab)
    assert "the idea" not in hinted(course, 1)


@pytest.mark.parametrize("text", ["", "[]", '{"lab07": 3}', '{"lab07": {"2": "x"}}'])
def test_damaged_memory_begins_anew(course: Course, text: str) -> None:
    path = course.root / ".labkit" / "hints.json"
    path.parent.mkdir()
    path.write_text(text)
    assert "1 of 3" in hinted(course, 2)
    assert "2 of 3" in hinted(course, 2)


def test_step_that_is_not_there_is_refused(course: Course) -> None:
    with pytest.raises(LabError, match=r"lab07 has no step 9; .* make hint-lab07 STEP=1 \(1 to 2\)"):
        hinted(course, 9)
    assert "lab07 has no step 0" in course.labkit("hint", "lab07", "--step", "0").err


def test_command_hints_at_the_current_step(course: Course) -> None:
    ran = course.labkit("hint", "lab07")
    assert (ran.code, ran.err) == (0, "")
    assert "Step 1: Doubling" in ran.out and "What is twice a number?" in ran.out
    assert "Step 2: Halving" in course.labkit("hint", "lab07", "--step", "2").out


def test_command_asks_where_the_step_is_not_known(course: Course) -> None:
    course.file.write_text("# changed\n")
    ran = course.labkit("hint", "lab07")
    assert ran.code == 1
    assert ran.err.count("\n") == 1 and "say which step, 1 to 2: STEP=1" in ran.err


# The hints of the course ----------------------------------------------------------------------------------------------

each_step = pytest.mark.parametrize(
    ("lab", "step"), STEPS, ids=lambda one: getattr(one, "name", None) or f"step {one.number}"
)


@each_step
def test_every_step_has_every_rung(lab: Lab, step: Step) -> None:
    assert len(set(step.hints)) == HINTS == len(hints.RUNGS)
    assert "?" in step.hints[0], "the first rung is a question that points the way"


@each_step
def test_every_function_has_a_hint(lab: Lab, step: Step) -> None:
    """After the question no function of several is left out; naming a class is enough for its `__init__`."""
    said, left_out = " ".join(step.hints[1:]), []
    for function in step.todo:
        owner, _, name = function.rpartition(".")
        if name not in said and not (name == "__init__" and owner in said):
            left_out.append(function)
    assert len(step.todo) == 1 or left_out == []


@each_step
def test_no_hint_is_the_solution(lab: Lab, step: Step) -> None:
    """Put together, the rungs never hold all the statements of a function."""
    rungs = "".join("".join(step.hints).split())
    tree = ast.parse(lab.paths.solution.read_text(encoding="utf-8"))
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef) and any(name.rpartition(".")[2] == node.name for name in step.todo):
            body = node.body[1:] if ast.get_docstring(node) else node.body
            lines = [line for part in body for line in ast.unparse(part).splitlines()]
            assert any("".join(line.split()) not in rungs for line in lines), f"{node.name} stands in the hints"
