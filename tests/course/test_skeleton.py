"""Skeletons are what the solutions give, and nobody's work is written over."""

import ast
import os
import textwrap
from pathlib import Path

import pytest

from labkit.course import manifest
from labkit.course.errors import LabError
from labkit.course.manifest import ROOT, Lab, Step
from labkit.course.skeleton import skeleton_of, write_skeletons

LABS = manifest.load_all()
each_lab = pytest.mark.parametrize("lab", LABS, ids=lambda lab: lab.name)


@each_lab
def test_skeleton_is_what_the_solution_gives(lab: Lab) -> None:
    skeleton = lab.paths.skeleton.read_text(encoding="utf-8")
    assert skeleton == skeleton_of(lab.paths.solution.read_text(encoding="utf-8"), lab), "run: make skeletons"


@each_lab
def test_committed_file_is_the_skeleton(lab: Lab) -> None:
    """On a student's machine the file in src/ holds work; only what is committed has to be untouched."""
    if os.environ.get("CI") != "true":
        pytest.skip("src/ may be edited here; CI=true compares it with the skeleton")
    skeleton, student = lab.paths.skeleton, lab.paths.student
    message = f"cp {skeleton.relative_to(ROOT)} {student.relative_to(ROOT)}"
    assert student.read_text(encoding="utf-8") == skeleton.read_text(encoding="utf-8"), message


@each_lab
def test_stubs_raise_what_the_manifest_says(lab: Lab) -> None:
    tree = ast.parse(lab.paths.skeleton.read_text(encoding="utf-8"))
    raised = [
        node.exc.args[0].value
        for node in ast.walk(tree)
        if isinstance(node, ast.Raise) and node.exc.func.id == "NotImplementedError"
    ]
    assert sorted(raised) == sorted(lab.stub_messages())


# Made from a small solution -------------------------------------------------------------------------------------------

SOLUTION = '''\
"""A tiny lab."""

import math
import os.path
from functools import cache, wraps as wrapping
from pathlib import Path

__all__ = ["Path", "Thing", "double"]


# Step 1: doubling


@cache
def double(x: float, times: int = 1) -> float:
    """`x` doubled `times` times."""
    return math.ldexp(x, _checked(times))


def _checked(times: int) -> int:
    return times


def kept(x: float) -> float:
    """Given, not asked for."""
    return os.path.getsize(x)


class Thing:
    """Has a size."""

    size: int = 3

    def __init__(self, size: int) -> None:
        self.size = size

    @property
    def half(self) -> float:
        """Half of the size."""
        return self.size / self._two()

    @staticmethod
    @wrapping(kept)
    def whole(size: int) -> int:
        return size

    def _two(self) -> int:
        return 2
'''

SKELETON = '''\
"""A tiny lab."""

import os.path
from pathlib import Path

__all__ = ["Path", "Thing", "double"]


# Step 1: doubling


def double(x: float, times: int = 1) -> float:
    """`x` doubled `times` times."""
    # TODO: multiply by two
    raise NotImplementedError("Step 1: double")


def kept(x: float) -> float:
    """Given, not asked for."""
    return os.path.getsize(x)


class Thing:
    """Has a size."""

    size: int = 3

    def __init__(self, size: int) -> None:
        self.size = size

    @property
    def half(self) -> float:
        """Half of the size."""
        # TODO: divide by two
        raise NotImplementedError("Step 2: Thing.half")

    @staticmethod
    def whole(size: int) -> int:
        # TODO: give it back
        raise NotImplementedError("Step 2: Thing.whole")
'''


def tiny(folder: Path, **more: str) -> Lab:
    """A lab with two steps; `more` are functions that a third one asks for."""
    todos = [{"double": "multiply by two"}, {"Thing.half": "divide by two", "Thing.whole": "give it back"}]
    steps = [
        Step(number=number, title="", minutes=1, read="", todo=todo, hints=("", "", ""))
        for number, todo in enumerate([*todos, more] if more else todos, start=1)
    ]
    return Lab(number=7, title="", stem="tiny", reading="", goal="", folder=folder, steps=tuple(steps), behaviours=())


def test_skeleton_keeps_what_a_student_needs(tmp_path: Path) -> None:
    """Signatures, docstrings, comments, what no step asks for; not helpers, caches and imports of the solution."""
    assert skeleton_of(SOLUTION, tiny(tmp_path)) == SKELETON


def test_first_import_may_go(tmp_path: Path) -> None:
    solution = textwrap.dedent('''\
        """One."""

        import math
        import sys


        def double(x):
            return math.ldexp(x, 1)


        print(sys.argv)
        ''')
    lab = manifest.Lab(7, "", "tiny", "", "", tmp_path, tiny(tmp_path).steps[:1], ())
    assert skeleton_of(solution, lab).startswith('"""One."""\n\nimport sys\n\n\ndef double(x):\n    # TODO: ')


def test_function_that_the_solution_lacks_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(LabError, match=r"lab\.toml: steps: the solution has no Thing\.third, treble"):
        skeleton_of(SOLUTION, tiny(tmp_path, **{"treble": "multiply by three", "Thing.third": "divide by three"}))


def test_solution_that_is_no_python_is_one_line(tmp_path: Path) -> None:
    lab = tiny(tmp_path / "labs" / "lab07_tiny")
    lab.paths.solution.parent.mkdir(parents=True)
    lab.paths.solution.write_text("def a():\n    pass\nx = = 1\n")
    with pytest.raises(LabError, match=r"solutions.tiny\.py, line 3: invalid syntax: x = = 1$"):
        write_skeletons(lab)


def test_private_function_may_be_asked_for(tmp_path: Path) -> None:
    """A name with an underscore that a step names is a stub like any other."""
    assert 'NotImplementedError("Step 3: _checked")' in skeleton_of(SOLUTION, tiny(tmp_path, _checked="check it"))


def test_private_class_goes_unless_what_stays_uses_it(tmp_path: Path) -> None:
    solution = SOLUTION + textwrap.dedent("""

        class _Inner:
            def size(self):
                return 1


        class _Shared:
            size = 1


        shared = _Shared()
        """)
    skeleton = skeleton_of(solution, tiny(tmp_path))
    assert "_Inner" not in skeleton
    assert "class _Shared" in skeleton


@pytest.fixture
def lab(tmp_path: Path) -> Lab:
    """The tiny lab in a repository of its own, its skeleton and its file in src/ already made."""
    for directory in ("solutions", "src", "labs/lab07_tiny"):
        (tmp_path / directory).mkdir(parents=True)
    (tmp_path / "solutions" / "tiny.py").write_text(SOLUTION)
    made = tiny(tmp_path / "labs" / "lab07_tiny")
    said = write_skeletons(made)
    assert said == ["labs/lab07_tiny/skeleton.py: written", "src/tiny.py: written"]
    return made


def test_second_time_nothing_is_written(lab: Lab, tmp_path: Path) -> None:
    before = (tmp_path / "src" / "tiny.py").stat().st_mtime_ns
    assert write_skeletons(lab) == ["labs/lab07_tiny/skeleton.py: up to date", "src/tiny.py: up to date"]
    assert (tmp_path / "src" / "tiny.py").stat().st_mtime_ns == before


def test_new_solution_reaches_an_unedited_file(lab: Lab, tmp_path: Path) -> None:
    (tmp_path / "solutions" / "tiny.py").write_text(SOLUTION.replace("Has a size.", "Has one size."))
    assert write_skeletons(lab) == ["labs/lab07_tiny/skeleton.py: written", "src/tiny.py: written"]
    assert "Has one size." in (tmp_path / "src" / "tiny.py").read_text()


def test_edited_file_is_left_alone(lab: Lab, tmp_path: Path) -> None:
    student = tmp_path / "src" / "tiny.py"
    student.write_text(SKELETON.replace('raise NotImplementedError("Step 1: double")', "return 2 * x"))
    work = student.read_text()
    (tmp_path / "solutions" / "tiny.py").write_text(SOLUTION.replace("Has a size.", "Has one size."))
    said = write_skeletons(lab)
    assert said == ["labs/lab07_tiny/skeleton.py: written", "src/tiny.py: left alone, it has been edited"]
    assert student.read_text() == work
    assert write_skeletons(lab)[1] == "src/tiny.py: left alone, it has been edited"
    assert student.read_text() == work
