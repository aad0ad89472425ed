"""The first day of somebody who adds labs: files only, in a copy of the repository, and the course takes them up.

Three labs are written by hand (labs_to_add.py), a fourth one begins with `make new-lab`. Then the tests of the course
that look at labs run on the copy: none may assume which labs there are.
"""

import re
import shutil
from pathlib import Path

import pytest
import warm_python
from commandline import Finished
from labs_to_add import COUNTING, GREETING, TINY
from page_checks import ROOT
from warm_python import ENVIRONMENT

from labkit.author.check_lab import TESTS

# Each test starts several processes, which import torch.
pytestmark = pytest.mark.timeout(600)
PYTEST = ("-m", "pytest", "-q", "--no-header", "-p", "no:cacheprovider")
NEW = ("lab91", "lab92", "lab93")
# The proof and what the handout of Lab 04 shows take long, and are looked at elsewhere; of some files only the tests
# that are there for each lab look at the labs.
CHECKED = [f"tests/course/test_{name}.py" for name in (*TESTS, "makefile", "layers", "experiments")]
OF_EACH_LAB = "lab04 or pages or test_hints.py or test_proof.py"
CHOSEN = f"({' or '.join(NEW)} or not ({OF_EACH_LAB})) and not (proven or shown_run or measure or report or draws)"


@pytest.fixture(scope="module")
def copy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The repository with the three labs, their stubs made."""
    copy = tmp_path_factory.mktemp("course") / "copy"
    shutil.copytree(ROOT, copy, ignore=shutil.ignore_patterns(".*", "__pycache__", "runs", "reports", "wheels"))
    for name, text in (TINY | GREETING | COUNTING).items():
        path = copy / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    made = python(copy, "-m", "labkit", "skeletons").out
    for folder, stem in (("lab91_tiny", "tiny"), ("lab92_greeting", "greeting"), ("lab93_counting", "counting")):
        for name in (f"labs/{folder}/skeleton.py", f"src/{stem}.py", f"labs/{folder}/README.md"):
            assert f"{name}: written" in made, made
    return copy


def python(copy: Path, *arguments: str, code: int = 0) -> Finished:
    """Runs Python in the copy, with the copy's own labkit."""
    environment = ENVIRONMENT | {"PYTHONPATH": str(copy / "src"), "CI": "true", "COLUMNS": "80"}
    ran = warm_python.python(*arguments, cwd=copy, environment=environment, limit=500.0)
    assert ran.code == code, ran.out + ran.err
    return ran


def test_solutions_get_every_point_that_can_be_had(copy: Path) -> None:
    """What needs a package that is missing is skipped, in words, and stops no other lab."""
    suites = [f"tests/test_{stem}.py" for stem in ("tiny", "greeting", "counting")]
    said = python(copy, *PYTEST, *suites, "--impl", "solutions").out
    for title in ("Lab 91: Tiny", "Lab 92: Greeting", "Lab 93: Counting"):
        assert title in said
    assert "no-such-package" in said
    assert "failed" not in said


def test_stub_gets_none_and_the_first_thing_to_do_is_shown(copy: Path) -> None:
    said = python(copy, *PYTEST, "tests/test_tiny.py", code=1).out
    assert "  0 of   3  1 todo" in said
    assert "Next: step 1, write double in src/tiny.py" in said
    assert "Read docs/91_tiny.md#doubling, then: make test-lab91 STEP=1" in said


def test_mistake_is_caught(copy: Path) -> None:
    overlay = "tests/mistakes/tiny/1_doubling/squares.py"
    said = python(copy, *PYTEST, "tests/test_tiny.py", "--impl", "solutions", "--overlay", overlay, code=1).out
    assert "  0 of   3  1 failed" in said
    assert "cause:    add x to itself" in said


def test_status_and_doctor_know_them(copy: Path) -> None:
    said = python(copy, "-m", "labkit", "status").out
    labs = [line for line in said.splitlines() if line.startswith("Lab ")][:3]
    assert [line.partition("  ")[0] for line in labs] == ["Lab 91: Tiny", "Lab 92: Greeting", "Lab 93: Counting"]
    assert said.count("Next") == 1 and "Next, in lab91: step 1, write double in src/tiny.py" in said
    assert "skipped, no points lost: .venv/bin/python -m pip install no-such-package" in said
    assert "lab93         needs no-such-package" in python(copy, "-m", "labkit", "doctor").out


def test_lab_without_a_command_line_says_so(copy: Path) -> None:
    for command in ("run", "demo"):
        said = python(copy, "-m", "labkit", command, "lab91", code=1).err
        assert said.count("\n") == 1 and "make test-lab91 tests it" in said


def test_checks_of_the_course_take_them_up(copy: Path) -> None:
    """What looks at labs is content with these files, and knows of no lab by name."""
    said = python(copy, *PYTEST, *CHECKED, "-k", CHOSEN).out
    assert re.search(r"^\d+ passed, (\d+ skipped, )?\d+ deselected", said, re.MULTILINE), said


def test_new_lab_is_whole_but_for_its_words(copy: Path) -> None:
    made = python(copy, "-m", "labkit", "new-lab", "--number", "9", "--stem", "small", "--steps", "2").out
    assert made.endswith("Next: make check-lab09\n")
    lines = python(copy, "-m", "labkit", "check-lab", "lab09", code=1).out.splitlines()
    assert len(lines) > 20
    assert [line for line in lines if not line.startswith("left to write: ")] == []
