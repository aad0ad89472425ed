"""`python -m labkit`: whatever it is given, it says one line, and what it had started ends with it."""

import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from small_course import STUBS, Course, small_course
from terminal import Terminal, working_folders

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="closed streams and signals are those of Unix")


@pytest.fixture
def course(tmp_path: Path) -> Course:
    return small_course(tmp_path)


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ("stauts", "No such command 'stauts'. Did you mean 'status'?"),
        ("hint lab07 --step abc", "Invalid value for '--step': 'abc' is not a valid integer."),
        ("watch", "Missing argument 'LAB'."),
        ("watch lab07 --limit 0", "Invalid value for '--limit': 0.0 is not in the range x>=0.1."),
    ],
)
def test_wrong_use_is_one_line(course: Course, arguments: str, says: str) -> None:
    ran = course.labkit(*arguments.split())
    assert (ran.code, ran.out, ran.err) == (2, "", f"labkit: {says}\n")


def test_an_error_fits_the_terminal(course: Course) -> None:
    """On a terminal of 80 columns; the same is one line where it goes to a file."""
    command = [sys.executable, "-m", "labkit", "merge", "no_such_folder", "--out", "out"]
    shown = Terminal(command, course.root, course.environment())
    try:
        assert shown.ended(60) == 1
        lines = shown.text.splitlines()
    finally:
        shown.close()
    assert len(lines) > 1 and max(map(len, lines)) <= 80
    said = course.labkit(*command[3:]).err
    assert said.count("\n") == 1 and len(said) > 80 and " ".join(" ".join(lines).split()) == said.strip()


@pytest.mark.parametrize("closed", ["<&-", ">&-", "2>&-", "<&- >&- 2>&-"])
def test_closed_streams_are_no_error(course: Course, closed: str) -> None:
    command = f"{sys.executable} -m labkit status {closed}"
    ran = subprocess.run(
        ["sh", "-c", command], cwd=course.root, env=course.environment(), capture_output=True, text=True
    )
    assert (ran.returncode, ran.stderr) == (0, "")


def test_what_was_started_ends_with_it(course: Course) -> None:
    """A grader's clock, say, ends `make status` while it tests."""
    course.file.write_text(
        re.sub("raise NotImplementedError.*", "open('begun', 'w'); __import__('time').sleep(99)", STUBS)
    )
    (course.root / "scratch").mkdir()
    environment = course.environment(TMPDIR=str(course.root / "scratch"))
    command = [sys.executable, "-m", "labkit", "status"]
    process = subprocess.Popen(command, cwd=course.root, env=environment, stdout=subprocess.DEVNULL)
    end = time.monotonic() + 60
    while not (course.root / "begun").exists() and time.monotonic() < end:
        time.sleep(0.1)
    process.send_signal(signal.SIGTERM)
    assert process.wait(10) == 128 + signal.SIGTERM
    while str(course.root) in working_folders() and time.monotonic() < end:
        time.sleep(0.05)  # the system ends the processes below it one after the other
    assert str(course.root) not in working_folders()
    assert not any((course.root / "scratch").iterdir())
