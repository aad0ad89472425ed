"""A lab file that builds on another lab's gets it from its own folder."""

from pathlib import Path

import pytest
from small_course import MANIFEST, Course, small_course

USES = """
from pathlib import Path
from labkit.course.errors import LabError
from labkit.course.loading import load_implementation
import sys
try:
    print(load_implementation(Path(sys.argv[1])).quadruple(3))
except LabError as error:
    print(error)
"""


@pytest.fixture
def course(tmp_path: Path) -> Course:
    """Lab 8 uses what lab 7 asks for, which src/ has as a stub and solutions/ solved."""
    course = small_course(tmp_path)
    manifest = MANIFEST.replace("number = 7", 'number = 8\nbuilds_on = ["tiny"]', 1).replace(
        'stem = "tiny"', 'stem = "small"'
    )
    quadruple = "from tiny import double\n\n\ndef quadruple(x):\n    return double(double(x))\n"
    files = {"labs/lab08_small/lab.toml": manifest, "solutions/small.py": quadruple, "alone/small.py": quadruple}
    for name, text in {**files, "solutions/tiny.py": "def double(x):\n    return x + x\n"}.items():
        (course.root / name).parent.mkdir(exist_ok=True)
        (course.root / name).write_text(text)
    return course


def test_what_a_lab_builds_on_is_of_the_same_implementation(course: Course) -> None:
    """src/, with its stub, is on Python's path."""
    assert course.run("-c", USES, str(course.root / "solutions/small.py")).out == "12\n"


def test_folder_without_what_the_lab_builds_on_is_refused(course: Course) -> None:
    path = course.root / "alone/small.py"
    said = course.run("-c", USES, str(path)).out
    assert said == f"{path} builds on tiny.py, which {path.parent} does not have: put it there too\n"
