"""A manifest that is wrong says where, and every manifest of the course agrees with the files around it.

That the readings it names exist is checked with the pages, in test_pages.py.
"""

import ast
from pathlib import Path

import pytest

from labkit.course import complaints, consistency, manifest
from labkit.course.errors import LabError
from labkit.course.manifest import Lab

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
    "unknown key": ('goal = "Be small."', 'goal = "Be small."\nprice = 3', "price is unknown: remove it"),
    "misspelt key": ("minutes = 10", "minutes = 10\nneed = []", "steps[2].need is unknown: remove it, or write needs"),
    "key of a behaviour": ("points = 3", "points = 3\npoint = 3", "behaviours[2].point is unknown: remove it, or"),
    "the folder": ('goal = "Be small."', 'goal = "Be small."\nfolder = "."', "folder is unknown: remove it"),
    "missing key": ('title = "Tiny"\n', "", 'title is missing: for example title = "'),
    "missing key of a step": ("minutes = 5\n", "", "steps[1].minutes is missing: for example minutes = 20"),
    "missing key of a behaviour": ('why = "Halving halves."\n', "", "behaviours[2].why is missing: for example why = "),
    "text for a number": ("number = 7", 'number = "7"', "number must be a whole number, not text: for example number"),
    "bool for a number": (
        "points = 2",
        "points = true",
        "behaviours[1].points must be a whole number, not true or false",
    ),
    "half a number": ("minutes = 5", "minutes = 5.5", "steps[1].minutes must be a whole number, not a number"),
    "negative minutes": (
        "minutes = 5",
        "minutes = -5",
        "steps[1].minutes must be at least 1: for example minutes = 20",
    ),
    "no points": ("points = 2", "points = 0", "behaviours[1].points must be at least 1: for example points = 2"),
    "empty text": ('goal = "Be small."', 'goal = " "', "goal must not be blank: for example goal = "),
    "a list of numbers": (
        'hints = ["a question",',
        "hints = [1,",
        "steps[1].hints[1] must be text, not a whole number",
    ),
    "a todo that is no text": ('double = "multiply by two"', "double = 2", "steps[1].todo.double must be text, not a"),
    "a todo that is blank": ('double = "multiply by two"', 'double = ""', "steps[1].todo.double must not be blank"),
    "no todo": ('double = "multiply by two"', "", "steps[1].todo must have at least 1: for example todo = {"),
    "too few hints": (
        'hints = ["a question", "an idea", "nearly the code"]',
        'hints = ["a question"]',
        "steps[1].hints must have at least 3: for example hints = [",
    ),
    "an unknown group": ("minutes = 10", 'minutes = 10\ngroup = "x"', "steps[2].group must not be 'x': for example"),
    "a bare group of one": ("minutes = 10", 'minutes = 10\ngroup = "bare"', 'steps[2].group is "bare", which needs'),
    "a step that builds on itself": (
        "minutes = 10",
        "minutes = 10\nbuilds_on_steps = [1, 2]",
        "steps[2].builds_on_steps names step 2: name steps before 2, or remove it",
    ),
    "no ranks": ("minutes = 10", "minutes = 10\nranks = 0", "steps[2].ranks must be at least 1: for example ranks = 2"),
    "ranks of a test alone": ("points = 3", "points = 3\nranks = 4", "behaviours[2].ranks: step 2 has no ranks: add"),
    "no seconds": ("minutes = 10", "minutes = 10\nseconds = 0", "steps[2].seconds must be above 0: for example"),
    "seconds without end": ("points = 3", "points = 3\nseconds = inf", "behaviours[2].seconds must be at most 3600"),
    "no number of seconds": ("points = 3", "points = 3\nseconds = nan", "behaviours[2].seconds must be above 0"),
    "steps out of order": ("number = 2", "number = 3", "steps must be numbered 1 to 2 in order, not [1, 3]: correct"),
    "the same id twice": ('id = "test_half"', 'id = "test_double"', "behaviours[2].id: test_double is there twice"),
    "an id that is no test": ('id = "test_half"', 'id = "half"', "behaviours[2].id must begin with test_: for example"),
    "a step that is not there": ("step = 2", "step = 4", "behaviours[2].step: test_half names step 4; there is 1 to 2"),
    "a step without a test": (
        "step = 2",
        "step = 1",
        "behaviours: step 2 has none; add a [[behaviours]] with step = 2",
    ),
    "a function twice": ('"Thing.half" =', "double =", "steps[2].todo.double is asked for in step 1 already: remove"),
    "no function": ('"Thing.half" =', '"half a thing" =', "steps[2].todo.half a thing names no function: write"),
    "a long todo": (
        "divide by two",
        "divide " * 20,
        "steps[2].todo.Thing.half gives a comment of 156 columns: shorten",
    ),
    "a todo of two lines": (
        "divide by two",
        "divide\\nby two",
        "todo.Thing.half gives a comment of two lines: shorten",
    ),
    "another stem than the folder's": (
        'stem = "tiny"',
        'stem = "small"',
        "ask for a folder lab07_small: rename lab07_",
    ),
    "a stem that is no name": ('stem = "tiny"', 'stem = "tiny-lab"', "stem 'tiny-lab' is no name for a module: use"),
    "a reading outside": ("docs/07", "../docs/07", "reading: '../docs/07_tiny.md' must be a path below the repository"),
    "data outside": ("number = 7", 'number = 7\ndata = ["/etc"]', "data: '/etc' must be a path below the lab's folder"),
    "the package that it needs": ("number = 7", 'number = 7\nneeds = ["Tiny"]', "stem 'tiny' would shadow the package"),
    "itself": ("number = 7", 'number = 7\nbuilds_on = ["tiny"]', "builds_on names the lab itself: remove 'tiny'"),
    "no TOML": ('title = "Tiny"', 'title = "Tiny', "is not valid TOML"),
    "no tables": ("[[behaviours]]", "[[nothing]]", "nothing is unknown: remove it"),
}


@pytest.mark.parametrize(("old", "new", "complaint"), WRONG.values(), ids=WRONG.keys())
def test_wrong_manifest_names_file_key_and_remedy(tmp_path: Path, old: str, new: str, complaint: str) -> None:
    count = RIGHT.count(old) if old == "[[behaviours]]" else 1
    text = RIGHT.replace(old, new, count)
    assert text != RIGHT
    path = written(tmp_path, text)
    with pytest.raises(LabError) as raised:
        manifest.load(path)
    message = str(raised.value)
    assert message.startswith(f"{path}: ")
    assert complaint in message
    assert "\n" not in message


@pytest.mark.parametrize("stem", ["profile", "tokenize", "torch", "numpy", "labkit", "pytest", "conftest", "scenarios"])
def test_stem_that_shadows_a_module_is_refused(tmp_path: Path, stem: str) -> None:
    path = written(tmp_path, RIGHT.replace("tiny", stem), f"lab07_{stem}")
    with pytest.raises(LabError, match=f"stem '{stem}' would shadow the module of that name: choose another"):
        manifest.load(path)


def test_behaviours_that_are_no_tables_are_refused(tmp_path: Path) -> None:
    path = written(tmp_path, "behaviours = [1]\n" + RIGHT.partition("[[behaviours]]")[0])
    with pytest.raises(LabError, match=r"lab\.toml: behaviours\[1\] must be a table, not a whole number: write \[\["):
        manifest.load(path)


def test_every_key_has_an_example() -> None:
    """A missing key is answered with how to write it."""
    keys = {key for kind in (Lab, manifest.Step, manifest.Behaviour) for key in kind.__struct_fields__} - {"folder"}
    assert keys == complaints.EXAMPLES.keys() | complaints.TABLES.keys()


def test_what_a_lab_needs_is_looked_for(tmp_path: Path) -> None:
    text = RIGHT.replace("number = 7", 'number = 7\nneeds = ["torch"]', 1)
    text = text.replace("minutes = 10", 'minutes = 10\nneeds = ["torch", "no-such-package"]')
    lab = manifest.load(written(tmp_path, text))
    assert [lab.missing(1), lab.missing(2)] == [(), ("no-such-package",)]


def test_seconds_are_those_of_behaviour_step_or_course(tmp_path: Path) -> None:
    text = RIGHT.replace("minutes = 10", "minutes = 10\nranks = 2")
    lab = manifest.load(written(tmp_path, text))
    assert [lab.seconds_for(one) for one in lab.behaviours] == [30, 20]
    assert [lab.limit_of(one) for one in lab.behaviours] == [30, 30]
    text = text.replace("minutes = 5", "minutes = 5\nseconds = 50").replace("points = 3", "points = 3\nseconds = 2.5")
    (tmp_path / "lab07_tiny" / "lab.toml").write_text(text)
    lab = manifest.load(tmp_path / "lab07_tiny" / "lab.toml")
    assert [lab.seconds_for(one) for one in lab.behaviours] == [50, 2.5]


def test_ranks_are_those_of_behaviour_or_step(tmp_path: Path) -> None:
    text = RIGHT.replace("minutes = 10", "minutes = 10\nranks = 2")
    lab = manifest.load(written(tmp_path, text))
    assert [lab.ranks_for(one) for one in lab.behaviours] == [1, 2]
    (tmp_path / "lab07_tiny" / "lab.toml").write_text(text.replace("points = 3", "points = 3\nranks = 4"))
    lab = manifest.load(tmp_path / "lab07_tiny" / "lab.toml")
    assert [lab.ranks_for(one) for one in lab.behaviours] == [1, 4]


# Several labs ---------------------------------------------------------------------------------------------------------


def course_of(folder: Path, **manifests: str) -> Path:
    """A course with these manifests, by the names of their folders."""
    for name, text in manifests.items():
        (folder / "labs" / name).mkdir(parents=True)
        (folder / "labs" / name / "lab.toml").write_text(text)
    return folder


SMALL = RIGHT.replace('stem = "tiny"', 'stem = "small"')
EIGHT = SMALL.replace("number = 7", "number = 8", 1)


def test_number_that_is_taken_is_refused(tmp_path: Path) -> None:
    course = course_of(tmp_path, lab07_small=SMALL, lab07_tiny=RIGHT)
    for reading in (lambda: manifest.load_all(course), lambda: manifest.find("tiny", course)):
        with pytest.raises(LabError, match=r"^\S+lab07_tiny/lab\.toml: number 7 is taken by \S+: choose another$"):
            reading()


def test_stem_that_is_taken_is_refused(tmp_path: Path) -> None:
    course = course_of(tmp_path, lab07_tiny=RIGHT, lab08_tiny=RIGHT.replace("number = 7", "number = 8", 1))
    with pytest.raises(LabError, match=r"^\S+lab08_tiny/lab\.toml: stem 'tiny' is taken by \S+: choose another$"):
        manifest.load_all(course)


def test_lab_that_is_built_on_has_to_be_there(tmp_path: Path) -> None:
    course = course_of(tmp_path, lab07_tiny=f'builds_on = ["small"]\n{RIGHT}')
    with pytest.raises(LabError, match="builds_on: no lab has the stem 'small': correct or remove it"):
        manifest.find("lab07", course)
    course_of(tmp_path, lab08_small=EIGHT)
    assert manifest.find("lab07", course).builds_on == ("small",)


def test_labs_that_build_on_each_other_are_refused(tmp_path: Path) -> None:
    first, second = f'builds_on = ["small"]\n{RIGHT}', f'builds_on = ["tiny"]\n{EIGHT}'
    with pytest.raises(LabError, match="builds_on goes in a circle, "):
        manifest.load_all(course_of(tmp_path, lab07_tiny=first, lab08_small=second))


def test_wrong_manifest_of_one_lab_leaves_the_others_alone(tmp_path: Path) -> None:
    course = course_of(tmp_path, lab07_tiny=RIGHT, lab08_small="number = 8")
    assert manifest.find("lab07", course).stem == "tiny"
    for name in ("lab08", "8", "small"):
        with pytest.raises(LabError, match=r"lab08_small/lab\.toml: title is missing"):
            manifest.find(name, course)
    with pytest.raises(LabError, match=r"there is no lab 'lab09'; the labs are lab07 and lab08$"):
        manifest.find("lab09", course)


def test_missing_files_are_named_with_what_makes_them(tmp_path: Path) -> None:
    course = course_of(tmp_path, lab07_tiny=f'data = ["data/text.txt"]\n{RIGHT}')
    lines = consistency.missing_files(manifest.find("lab07", course))
    assert "labs/lab07_tiny/lab.toml: src/tiny.py is missing: make skeletons makes it" in lines
    assert "labs/lab07_tiny/lab.toml: labs/lab07_tiny/data/text.txt is missing: add it, or correct data" in lines
    assert len(lines) == 10


def test_manifest_of_a_wrongly_named_folder_says_how_to_name_it(tmp_path: Path) -> None:
    path = written(tmp_path, RIGHT, name="lab7-tiny")
    with pytest.raises(LabError, match="lab07_tiny"):
        manifest.load(path)


def test_manifest_that_is_not_there_says_so(tmp_path: Path) -> None:
    with pytest.raises(LabError, match=r"lab\.toml: cannot be read"):
        manifest.load(tmp_path / "lab.toml")


@pytest.mark.parametrize("name", ["lab07", "07", "7", "tiny"])
def test_lab_is_found_by_each_of_its_names(tmp_path: Path, name: str) -> None:
    assert manifest.find(name, course_of(tmp_path, lab07_tiny=RIGHT)).stem == "tiny"


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
    files = [lab.paths.suite, *lab.paths.suites.rglob("*.py")]
    tests = {name for file in files for name in defined(file) if name.startswith("test_")}
    behaviours = {behaviour.id for behaviour in lab.behaviours}
    assert (sorted(behaviours - tests), sorted(tests - behaviours)) == ([], []), "(without a test, without an entry)"


@each_lab
def test_every_function_of_a_step_is_in_the_solution(lab: Lab) -> None:
    functions = {function for step in lab.steps for function in step.todo}
    assert sorted(functions - defined(lab.paths.solution)) == []


@each_lab
def test_every_file_of_a_lab_is_there(lab: Lab) -> None:
    assert consistency.missing_files(lab) == []
