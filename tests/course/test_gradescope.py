"""Gradescope's autograder.zip, unpacked as Gradescope does, grades a submission; here that of a small lab."""

import io
import json
import os
import shutil
import signal
import subprocess
import sys
import time
import zipfile
from pathlib import Path

import pytest
from small_course import BOTH_STEPS, STUBS, Course, small_course
from warm_python import ENVIRONMENT

from labkit.course import manifest
from labkit.grade.excerpt import excerpt
from labkit.grade.formats.autograder import autograder_zip

HANGS = BOTH_STEPS.replace("return x / 2", "import time\n    time.sleep(600)")


@pytest.fixture(scope="module")
def course(tmp_path_factory: pytest.TempPathFactory) -> Course:
    found = small_course(tmp_path_factory.mktemp("course"))
    for name in ("solutions/tiny.py", "tests/mistakes/tiny/1_doubling/squares.py", "tests/course/test_x.py"):
        path = found.root / name
        path.parent.mkdir(parents=True)
        path.write_text(BOTH_STEPS)
    return found


@pytest.fixture(scope="module")
def archive(course: Course) -> bytes:
    return made(course)


@pytest.fixture(scope="module")
def quick(course: Course) -> bytes:
    """It asks for no isolation, and so does not have to find out what this machine has."""
    return made(course, "--options", "--isolation none")


def made(course: Course, *options: str) -> bytes:
    ran = course.labkit("gradescope", "lab07", "--out", "autograder.zip", *options)
    assert (ran.code, ran.err) == (0, "") and ran.out.startswith("written: autograder.zip; in Gradescope: ")
    return (course.root / "autograder.zip").read_bytes()


class Autograder:
    """The documented layout, in a folder in place of /autograder, with this Python in place of what setup.sh makes."""

    def __init__(self, root: Path, archive: bytes) -> None:
        self.root = root
        self.results = root / "results" / "results.json"
        for name in ("source", "results", "submission", "venv/bin"):
            (root / name).mkdir(parents=True)
        with zipfile.ZipFile(io.BytesIO(archive)) as file:
            for entry in file.infolist():
                file.extract(entry, root / "source")
                (root / "source" / entry.filename).chmod(entry.external_attr >> 16 & 0o777)
        shutil.copy(root / "source" / "run_autograder", root)
        python = root / "venv" / "bin" / "python"
        python.write_text(f'#!/bin/sh\nexec "{sys.executable}" "$@"\n')
        python.chmod(0o755)

    def start(self, **more: str) -> subprocess.Popen:
        """`more`: variables of its environment."""
        environment = {name: value for name, value in ENVIRONMENT.items() if name != "PYTHONPATH"} | more
        return subprocess.Popen(
            ["./run_autograder"], cwd=self.root, env=environment, text=True, start_new_session=True,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        )  # fmt: skip

    def run(self) -> tuple[int, str]:
        process = self.start()
        output, _ = process.communicate(timeout=100)
        return process.returncode, output

    def scores(self) -> dict[str, float]:
        return {test["name"]: test["score"] for test in json.loads(self.results.read_text())["tests"]}


@pytest.fixture
def autograder(tmp_path: Path, quick: bytes) -> Autograder:
    return Autograder(tmp_path, quick)


def test_archive_has_what_grading_takes_and_no_more(course: Course, archive: bytes) -> None:
    with zipfile.ZipFile(io.BytesIO(archive)) as file:
        names = set(file.namelist())
        modes = {entry.filename: entry.external_attr >> 16 & 0o777 for entry in file.infolist()}
    assert {"setup.sh", "run_autograder"} <= names  # at its root
    assert (modes["setup.sh"], modes["run_autograder"], modes["secret"]) == (0o755, 0o755, 0o600)
    assert {"course/tests/test_tiny.py", "course/tests/scenarios/tiny.py", "course/labs/lab07_tiny/lab.toml"} <= names
    assert not [name for name in names if "solutions" in name or "mistakes" in name or "tests/course" in name]
    assert not [name for name in names if "__pycache__" in name or "labs/mixed_precision" in name]
    assert autograder_zip(course.lab, b"s" * 32) == autograder_zip(course.lab, b"s" * 32)


@pytest.mark.parametrize("name", ["lab04", "lab06", "lab07"])
def test_no_lab_takes_a_solution_along(name: str) -> None:
    paths = list(excerpt(manifest.find(name)))
    assert not [path for path in paths if path.startswith(("solutions", "tests/mistakes", "tests/course"))]
    assert not [path for path in paths if path.startswith("src/") and not path.startswith("src/labkit/")]


def test_scripts_are_bash(autograder: Autograder) -> None:
    for name in ("source/setup.sh", "run_autograder"):
        assert subprocess.run(["bash", "-n", autograder.root / name], capture_output=True, text=True).stderr == ""


def test_submission_gets_its_points(tmp_path: Path, archive: bytes) -> None:
    """In the best isolation, under another name, in a folder, beside other files; what it prints is not in the log."""
    autograder = Autograder(tmp_path, archive)
    folder = autograder.root / "submission" / "my work"
    folder.mkdir()
    (folder / "Tiny (1).py").write_text(BOTH_STEPS.replace("return x / 2", "print('::stop')\n    return x / 3"))
    (folder / "notes.txt").write_text("hello")
    code, output = autograder.run()
    assert code == 0, output
    assert output.startswith("lab07: 3 of 7 points, graded, isolation ") and len(output.splitlines()) == 1
    assert autograder.scores() == {"double is twice": 3, "halve is half": 0}
    found = json.loads(autograder.results.read_text())
    assert "divide 4 numbers by two" in found["tests"][1]["output"]
    assert found["extra_data"]["isolation"] in output


def test_submission_that_cannot_be_graded_says_why(autograder: Autograder) -> None:
    (autograder.root / "submission" / "tiny.py").write_text("x = (\n")
    assert autograder.run()[0] == 0
    found = json.loads(autograder.results.read_text())
    assert "tiny.py, line 1: '(' was never closed" in found["output"] and str(autograder.root) not in found["output"]
    assert set(autograder.scores().values()) == {0}


def test_killed_run_leaves_what_was_earned(autograder: Autograder) -> None:
    (autograder.root / "submission" / "tiny.py").write_text(HANGS)
    process = autograder.start(TMPDIR=str(autograder.root))  # where it leaves what it was at
    deadline = time.monotonic() + 90
    while not autograder.results.exists() and time.monotonic() < deadline:
        time.sleep(0.1)
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    assert autograder.scores() == {"double is twice": 3, "halve is half": 0}
    found = json.loads(autograder.results.read_text())
    assert found["extra_data"]["state"] == "timeout" and "grading was cut off" in found["output"]


def test_failure_of_the_machinery_leaves_no_result(autograder: Autograder) -> None:
    """Gradescope then tells that the autograder failed, and nobody gets a zero."""
    (autograder.root / "submission" / "tiny.py").write_text(STUBS)
    (autograder.root / "source" / "course" / "tests" / "test_tiny.py").write_text("import no_such_module\n")
    code, output = autograder.run()
    assert code == 1 and "the course's own machinery failed, and nobody lost a point" in output
    assert not autograder.results.exists()
