"""Hidden tests of an instructor are graded with the public ones, and shown to nobody but by name."""

import csv
import io
import re
import zipfile
from pathlib import Path

import pytest
from page_checks import ROOT
from small_course import BOTH_STEPS, Course, small_course

from labkit.course import manifest
from labkit.course.errors import LabError
from labkit.course.records import Record, State
from labkit.grade import results
from labkit.grade.excerpt import with_hidden
from labkit.grade.formats.autograder import autograder_zip
from labkit.grade.formats.gradescope import results_json
from labkit.grade.results import Outcome, Result

FOLDER = {
    "lab.toml": """\
[[behaviours]]
id = "test_whole_numbers_stay_whole"
step = 1
points = 5
read = "doubling"
why = "Twice a whole number is one."
""",
    "test_tiny.py": '''\
"""Never shown."""

from labkit.judge.expect import expect
from scenarios.tiny import hidden


def test_whole_numbers_stay_whole(observe, draw):
    """double keeps int."""
    expect(observe(hidden.kind_of, x=3), "SECRET").equals("int", why="SECRET: it made a float of it")
''',
    "scenarios.py": '''\
def kind_of(lab, x):
    """The type of double(x)."""
    return type(lab.double(x)).__name__
''',
}
FLOATS = BOTH_STEPS.replace("return x + x", "return x * 2.0")


def put(folder: Path, **changes: str) -> Path:
    folder.mkdir()
    for name, text in (FOLDER | {name.replace("__", "."): text for name, text in changes.items()}).items():
        (folder / name).write_text(text)
    return folder


@pytest.fixture(scope="module")
def course(tmp_path_factory: pytest.TempPathFactory) -> Course:
    return small_course(tmp_path_factory.mktemp("course"))


@pytest.mark.timeout(300)
def test_hidden_tests_count_and_are_shown_by_name_alone(course: Course, tmp_path: Path) -> None:
    hidden, given, out = put(tmp_path / "hidden"), tmp_path / "given", tmp_path / "out"
    given.mkdir()
    (given / "ann.py").write_text(BOTH_STEPS)
    (given / "bob.py").write_text(FLOATS)
    options = ("--hidden", str(hidden), "--accept-weak-isolation")  # the best isolation that there is
    ran = course.labkit("grade", "lab07", str(given), "--out", str(out), *options, TORCH="yes")
    assert ran.code == 0, ran.err
    with open(out / "grades.csv", newline="") as file:
        found = {row["submission"]: (row["points"], row["max_points"]) for row in csv.DictReader(file)}
    assert found == {"ann": ("12", "12"), "bob": ("7", "12")}
    bob = [one.result for one in results.read(out) if one.result.submission == "bob"]
    assert "SECRET" in repr(bob)
    pages = [*(out / "students").glob("bob-*.html"), out / "class.html"]
    told = [*(page.read_text() for page in pages), results_json(course.lab, bob[0]), ran.out, ran.err]
    assert all("whole numbers stay whole" in text for text in told[:1])
    assert not [text for text in told if re.search("SECRET|it made a float|kind_of", text)]
    again = course.labkit("grade", "lab07", str(given), "--out", str(out), *options)
    assert "2 graded before, 0 to grade" in again.out
    assert not list(course.root.rglob("*hidden*"))


def test_hidden_tests_are_in_the_autograder_and_nowhere_else(course: Course, tmp_path: Path) -> None:
    hidden = put(tmp_path / "hidden")
    with zipfile.ZipFile(io.BytesIO(autograder_zip(course.lab, b"s" * 32, hidden=hidden))) as file:
        assert file.read("course/tests/suites/tiny/hidden.py") == FOLDER["test_tiny.py"].encode()
        text = file.read("course/labs/lab07_tiny/lab.toml").decode()
    assert text.endswith(FOLDER["lab.toml"].replace("[[behaviours]]", "[[behaviours]]\nhidden = true"))
    assert b"hidden" not in autograder_zip(course.lab, b"s" * 32)
    with with_hidden(course.lab, hidden) as joined:
        assert [(one.id, one.hidden) for one in joined.behaviours][1:] == [
            ("test_halve_is_half", False), ("test_whole_numbers_stay_whole", True),
        ]  # fmt: skip
        lost = [Record("lab07", one.id, one.step, one.points, 0.0, "", State.FAILED, got="SECRET")
                for one in joined.behaviours if one.hidden]  # fmt: skip
        result = Result("key", "bob", "lab07", 0, joined.points, Outcome.GRADED, records=tuple(lost))
        shown = results_json(joined, result)  # as the autograder does, whose manifest names the hidden tests
    assert "SECRET" not in shown and shown.count("whole numbers stay whole") == 1
    assert not joined.paths.root.exists()


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"lab__toml": "x ="}, "lab.toml: is not valid TOML"),
        ({"lab__toml": 'title = "x"'}, "lab.toml: give a [[behaviours]] for each hidden test, as in"),
        ({"test_tiny__py": "def ("}, "test_tiny.py, line 1: invalid syntax"),
        ({"test_tiny__py": "def test_x(): pass"}, "lab.toml: behaviours: test_x is missing; test_tiny.py has such"),
        ({"test_tiny__py": ""}, "test_tiny.py has no function test_whole_numbers_stay_whole; write it, or remove"),
        ({"lab__toml": FOLDER["lab.toml"].replace("step = 1", "step = 9")},
         "/hidden/lab.toml: behaviours[1].step: test_whole"),
        ({"lab__toml": FOLDER["lab.toml"].replace("points = 5", "")}, "/hidden/lab.toml: behaviours[1].points"),
        ({name: text.replace("test_whole_numbers_stay_whole", "test_halve_is_half")
          for name, text in {"lab__toml": FOLDER["lab.toml"], "test_tiny__py": FOLDER["test_tiny.py"]}.items()},
         "/hidden/lab.toml: behaviours: test_halve_is_half is a public test of lab07; give yours another name"),
    ],
)  # fmt: skip
def test_what_is_wrong_in_the_folder_is_one_line(
    changes: dict[str, str], says: str, course: Course, tmp_path: Path
) -> None:
    with pytest.raises(LabError) as raised, with_hidden(course.lab, put(tmp_path / "hidden", **changes)):
        pass
    assert says in str(raised.value) and "\n" not in str(raised.value)


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"test_tiny__py": FOLDER["test_tiny.py"].replace("import hidden", "import hiddne")},
         "test_tiny.py, line 4: ImportError: cannot import name 'hiddne' from 'scenarios.tiny'"),
        ({"test_tiny__py": FOLDER["test_tiny.py"] + "\nundefined()\n"},
         "test_tiny.py, line 11: NameError: name 'undefined' is not defined"),
        ({"scenarios__py": "\ndef kind_of(:\n"}, "scenarios.py, line 2: SyntaxError: invalid syntax"),
        ({"scenarios__py": "import nopackage\n"},
         "scenarios.py, line 1: ModuleNotFoundError: No module named 'nopackage'"),
        ({"test_tiny__py": FOLDER["test_tiny.py"].replace("    expect(", "    undefined()\n    expect(")},
         "test_tiny.py: test_whole_numbers_stay_whole: NameError: name 'undefined' is not defined in the test itself"),
    ],
)  # fmt: skip
def test_what_is_wrong_in_its_code_is_one_line(
    changes: dict[str, str], says: str, course: Course, tmp_path: Path
) -> None:
    hidden, given = put(tmp_path / "hidden", **changes), tmp_path / "given"
    given.mkdir()
    (given / "ann.py").write_text(BOTH_STEPS)
    options = ("--out", str(tmp_path / "out"), "--hidden", str(hidden), "--isolation", "none")
    ran = course.labkit("grade", "lab07", str(given), *options, "--accept-weak-isolation", TORCH="yes")
    assert ran.code == 1
    assert ran.err.splitlines()[-1] == f"labkit: {hidden}/{says}"
    assert "labkit-hidden" not in ran.err and "Traceback" not in ran.err


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"scenarios__py": FOLDER["scenarios.py"].replace("return type(", "return [][type(").replace("__name__", "x]")},
         "{hidden}/scenarios.py, line 3: AttributeError in the scenario kind_of: type object 'int' has no attribute"),
        ({"test_tiny__py": FOLDER["test_tiny.py"].replace('equals("int"', 'equals("float"')},
         "SECRET = 'int', where it expects SECRET = 'float'"),
    ],
)  # fmt: skip
def test_hidden_tests_that_the_solution_fails_are_the_instructors_fault(
    changes: dict[str, str], says: str, tmp_path: Path
) -> None:
    """Nobody is graded by them. What a submission's process says of a scenario would be no proof."""
    course, hidden, given = small_course(tmp_path / "course"), put(tmp_path / "hidden", **changes), tmp_path / "given"
    for folder in (course.root / "solutions", given):
        folder.mkdir()
        (folder / "tiny.py").write_text(BOTH_STEPS)
    (given / "tiny.py").rename(given / "ann.py")
    options = ("--out", str(tmp_path / "out"), "--hidden", str(hidden), "--isolation", "none")
    ran = course.labkit("grade", "lab07", str(given), *options, "--accept-weak-isolation", "--jobs", "1", TORCH="yes")
    assert ran.code == 1
    fails = f"{hidden}/test_tiny.py: test_whole_numbers_stay_whole fails the course's own solution: "
    assert ran.err.splitlines()[-1].startswith(f"labkit: {fails}{says.format(hidden=hidden)}")
    assert not (tmp_path / "out" / "results.jsonl").exists()


MEAN = """

def fp32_softmax(x, dim=-1):
    powers = (x.float() - x.float().mean(dim, keepdim=True)).exp()
    return (powers / powers.sum(dim, keepdim=True)).to(x.dtype)
"""


@pytest.mark.timeout(300)
def test_the_guides_example_passes_the_solution_and_catches_a_wrong_answer(tmp_path: Path) -> None:
    lab, example = manifest.find("lab04", ROOT), ROOT / "docs" / "examples" / "hidden_lab04"
    solution = lab.paths.solution.read_text()
    with with_hidden(lab, example) as joined:
        hidden = [one.id for one in joined.behaviours if one.hidden]
        suite = joined.paths.suite.relative_to(joined.paths.root)
        for name, text, ends in (("right", solution, "1 passed, "), ("wrong", solution + MEAN, "1 failed, ")):
            (tmp_path / name).mkdir()
            (tmp_path / name / "mixed_precision.py").write_text(text)
            options = ("--impl", str(tmp_path / name), "-k", " or ".join(hidden))
            ran = Course(joined.paths.root).run("-m", "pytest", "-q", str(suite), *options)
            assert ends in ran.out, ran.out + ran.err


def test_a_folder_that_is_not_there_is_one_line(course: Course, tmp_path: Path) -> None:
    with pytest.raises(LabError, match=r"there is no lab\.toml; see 'Hidden tests'"), with_hidden(course.lab, tmp_path):
        pass
