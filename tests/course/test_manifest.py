"""A manifest that is wrong says where, and every manifest of the course agrees with the files around it.

That the readings it names exist is checked with the pages, in test_pages.py.
"""

import ast
from pathlib import Path

import pytest

from labkit.course import manifest
from labkit.course.errors import LabError
from labkit.course.manifest import ROOT, Lab

LABS = manifest.load_all()

RIGHT = """\
number = 7
title = "Tiny"
stem = "tiny"
reading = "docs/07_tiny.md"
goal = "Be small."

[[steps]]
number = 1
title = "One"
minutes = 5
read = "one"
hints = ["a question", "an idea", "nearly the code"]
[steps.todo]
double = "multiply by two"

[[steps]]
number = 2
title = "Two"
minutes = 10
read = "two"
hints = ["a question", "an idea", "nearly the code"]
[steps.todo]
"Thing.half" = "divide by two"

[[behaviours]]
id = "test_double"
step = 1
points = 2
read = "one"
why = "Doubling doubles."

[[behaviours]]
id = "test_half"
step = 2
points = 3
read = "two"
why = "Halving halves."
"""


def written(folder: Path, text: str, name: str = "lab07_tiny") -> Path:
    """The path of a manifest with this text in a lab's folder."""
    path = folder / name / "lab.toml"
    path.parent.mkdir()
    path.write_text(text, encoding="utf-8")
    return path


def test_right_manifest_is_read(tmp_path: Path) -> None:
    lab = manifest.load(written(tmp_path, RIGHT))
    assert (lab.name, lab.minutes, lab.points) == ("lab07", 15, 5)
    assert lab.stub_messages() == {"Step 1: double": 1, "Step 2: Thing.half": 2}
    assert lab.step(2).title == "Two"
    assert [behaviour.id for behaviour in lab.behaviours] == ["test_double", "test_half"]


WRONG = {
    "unknown key": ('goal = "Be small."', 'goal = "Be small."\nprice = 3', "price is unknown"),
    "unknown key of a step": ("minutes = 10", "minutes = 10\nhours = 1", "steps[2].hours is unknown"),
    "unknown key of a behaviour": ("points = 3", "points = 3\npoint = 3", "behaviours[2].point is unknown"),
    "missing key": ('title = "Tiny"\n', "", "title is missing"),
    "missing key of a step": ("minutes = 5\n", "", "steps[1].minutes is missing"),
    "missing key of a behaviour": ('why = "Halving halves."\n', "", "behaviours[2].why is missing"),
    "text for a number": ("number = 7", 'number = "7"', "number must be int, not str"),
    "bool for a number": ("points = 2", "points = true", "behaviours[1].points must be int, not bool"),
    "negative minutes": ("minutes = 5", "minutes = -5", "steps[1].minutes must not be -5"),
    "empty text": ('goal = "Be small."', 'goal = ""', "goal must not be ''"),
    "a list of numbers": ('hints = ["a question",', "hints = [1,", "steps[1].hints must hold strings"),
    "a todo that is no text": ('double = "multiply by two"', "double = 2", "steps[1].todo must hold strings"),
    "too few hints": (
        'hints = ["a question", "an idea", "nearly the code"]',
        'hints = ["a question"]',
        "steps[1].hints must have 3 rungs, not 1",
    ),
    "steps out of order": ("number = 2", "number = 3", "steps must be numbered 1 to 2 in order, not [1, 3]"),
    "the same id twice": ('id = "test_half"', 'id = "test_double"', "behaviours: test_double stands twice"),
    "a step that is not there": ("step = 2", "step = 4", "test_half names step 4, which there is not"),
    "another stem than the folder's": ('stem = "tiny"', 'stem = "small"', "ask for a folder lab07_small"),
    "no TOML": ('title = "Tiny"', 'title = "Tiny', "is not valid TOML"),
}


@pytest.mark.parametrize(("old", "new", "complaint"), WRONG.values(), ids=WRONG.keys())
def test_wrong_manifest_names_file_and_key(tmp_path: Path, old: str, new: str, complaint: str) -> None:
    text = RIGHT.replace(old, new, 1)
    assert text != RIGHT
    path = written(tmp_path, text)
    with pytest.raises(LabError) as raised:
        manifest.load(path)
    message = str(raised.value)
    assert message.startswith(f"{path}: ")
    assert complaint in message
    assert "\n" not in message


def test_behaviours_that_are_no_tables_are_refused(tmp_path: Path) -> None:
    path = written(tmp_path, "behaviours = [1]\n" + RIGHT.partition("[[behaviours]]")[0])
    with pytest.raises(LabError, match=r"lab\.toml: behaviours must be a list of tables"):
        manifest.load(path)


def test_manifest_of_a_wrongly_named_folder_says_how_to_name_it(tmp_path: Path) -> None:
    path = written(tmp_path, RIGHT, name="lab7-tiny")
    with pytest.raises(LabError, match="lab07_tiny"):
        manifest.load(path)


def test_manifest_that_is_not_there_says_so(tmp_path: Path) -> None:
    with pytest.raises(LabError, match=r"lab\.toml: cannot be read"):
        manifest.load(tmp_path / "lab.toml")


@pytest.mark.parametrize("name", ["lab04", "04", "4", "mixed_precision"])
def test_lab_is_found_by_each_of_its_names(name: str) -> None:
    assert manifest.find(name).stem == "mixed_precision"


def test_lab_that_is_not_there_is_answered_with_those_that_are() -> None:
    with pytest.raises(LabError, match="there is no lab 'lab99'; there is lab04"):
        manifest.find("lab99")


# The manifests of the course, and the files around them ---------------------------------------------------------------

each_lab = pytest.mark.parametrize("lab", LABS, ids=lambda lab: lab.name)


def defined(path: Path) -> set[str]:
    """The functions of a Python file, and its methods as Class.method."""
    names = set()
    for node in ast.parse(path.read_text(encoding="utf-8")).body:
        if isinstance(node, ast.FunctionDef):
            names.add(node.name)
        if isinstance(node, ast.ClassDef):
            names |= {f"{node.name}.{method.name}" for method in node.body if isinstance(method, ast.FunctionDef)}
    return names


@each_lab
def test_every_behaviour_has_its_test_and_every_test_its_behaviour(lab: Lab) -> None:
    tests = {name for name in defined(ROOT / "tests" / f"test_{lab.stem}.py") if name.startswith("test_")}
    behaviours = {behaviour.id for behaviour in lab.behaviours}
    assert (sorted(behaviours - tests), sorted(tests - behaviours)) == ([], []), "(without a test, without an entry)"


@each_lab
def test_every_function_of_a_step_stands_in_the_solution(lab: Lab) -> None:
    functions = {function for step in lab.steps for function in step.todo}
    assert sorted(functions - defined(ROOT / "solutions" / f"{lab.stem}.py")) == []


@each_lab
def test_every_step_is_worth_something(lab: Lab) -> None:
    points = {step.number: sum(b.points for b in lab.behaviours if b.step == step.number) for step in lab.steps}
    assert min(points.values()) > 0


def test_no_function_is_asked_for_twice() -> None:
    for lab in LABS:
        functions = [function for step in lab.steps for function in step.todo]
        assert len(functions) == len(set(functions))


def test_every_wing_has_its_file() -> None:
    """A lab is a stem: one file of that name in every wing."""
    wings = ("src/{0}.py", "solutions/{0}.py", "tests/test_{0}.py", "tests/scenarios/{0}.py")
    files = [ROOT / wing.format(lab.stem) for lab in LABS for wing in wings] + [ROOT / lab.reading for lab in LABS]
    assert [str(file.relative_to(ROOT)) for file in files if not file.exists()] == []
