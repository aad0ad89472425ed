"""Verdicts depend on a lab's own files and on the machinery: a save in one lab costs no other lab anything."""

from pathlib import Path

import pytest
from small_course import MANIFEST, Course, small_course

from labkit.course import manifest
from labkit.judge import progress


@pytest.fixture
def course(tmp_path: Path) -> Course:
    """Two labs; lab 8, `small`, has data and builds on lab 7, `tiny`."""
    course = small_course(tmp_path)
    small = MANIFEST.replace("number = 7", 'number = 8\nbuilds_on = ["tiny"]\ndata = ["data"]', 1)
    files = {"labs/lab08_small/lab.toml": small.replace('stem = "tiny"', 'stem = "small"'), "src/small.py": ""}
    for name, text in files.items():
        (course.root / name).parent.mkdir(exist_ok=True)
        (course.root / name).write_text(text)
    return course


@pytest.mark.parametrize(
    ("saved", "of_tiny", "of_small"),
    [
        ("src/tiny.py", True, True),
        ("src/small.py", False, True),
        ("src/helper_of_mine.py", True, True),
        ("src/small/part.py", False, True),
        ("tests/test_tiny.py", True, False),
        ("tests/test_small.py", False, True),
        ("tests/suites/tiny/step_1.py", True, False),
        ("tests/scenarios/tiny.py", True, False),
        ("tests/references/small/step_1.py", False, True),
        ("tests/mistakes/tiny/1_doubling/squares.py", False, False),
        ("labs/lab07_tiny/lab.toml", True, False),
        ("labs/lab07_tiny/README.md", False, False),
        ("labs/lab08_small/data/text.txt", False, True),
        ("src/labkit/labs/tiny/report.py", True, True),
        ("src/labkit/labs/small/report.py", False, True),
        ("src/labkit/labs/mixed_precision/report.py", False, False),
        ("src/labkit/judge/expect.py", True, True),
        ("conftest.py", True, True),
    ],
)
def test_save_costs_only_what_depends_on_it(course: Course, saved: str, of_tiny: bool, of_small: bool) -> None:
    labs = [manifest.find(stem, course.root) for stem in ("tiny", "small")]
    before = [progress.fingerprint(lab).digest for lab in labs]
    path = course.root / saved
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text((path.read_text() if path.exists() else "") + "\n# changed\n")
    progress.machinery.cache_clear()  # as in the next process
    after = [progress.fingerprint(lab).digest for lab in labs]
    assert [old != new for old, new in zip(before, after, strict=True)] == [of_tiny, of_small]


def test_package_that_is_installed_later_voids_the_verdicts(course: Course, monkeypatch: pytest.MonkeyPatch) -> None:
    """The tests that were skipped for want of it are run then."""
    path = course.root / "labs/lab07_tiny/lab.toml"
    path.write_text('needs = ["no-such-package"]\n' + path.read_text())
    before = progress.fingerprint(course.lab)
    monkeypatch.setattr(progress, "_version", lambda name: "1.0")
    assert progress.fingerprint(course.lab) != before
