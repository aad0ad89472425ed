"""The students' copy has what they run and read, holds no answer, and is the same bytes every time."""

import io
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
from page_checks import ROOT
from small_course import BOTH_STEPS, STUBS, Course, small_course

from labkit.author import release
from labkit.author.lacking import lacking
from labkit.author.leaks import leaks
from labkit.course.errors import LabError
from labkit.course.loading import implementation_path
from labkit.course.manifest import load_all

HALVE = 'halves = [x / 2]  # both\n    if len(halves) > 1:\n        raise ValueError("no")\n    return halves[0]'
SOLUTION = BOTH_STEPS.replace("return x / 2", HALVE)
README = """\
# Tiny

<!-- the course's own -->
See [the solution](solutions/tiny.py).
<!-- until here -->

[Lab 07](labs/lab07_tiny/README.md), [terms](docs/terms.md#half) and <a href="docs/a%20b.txt">more</a>
"""
OTHERS = {
    "README.md": README,
    "docs/terms.md": "# Half\n\n[Back](../README.md), [out](https://example.org)\n",
    "docs/a b.txt": "x",
    "docs/maintainers.md": "# For us\n",
    "labs/lab07_tiny/misconceptions.md": "# Mistakes\n",
    "src/tiny.py": SOLUTION,  # somebody works on it
    "solutions/tiny.py": SOLUTION,
    "tests/mistakes/tiny/1_doubling/squares.py": "def double(x):\n    return x * x\n",
    "tests/alternatives/tiny/1_doubling/times.py": "def double(x):\n    two = 2\n    return two * x * two / 2\n",
    "tests/course/test_x.py": "",
    "secret": "s" * 64,
}


@pytest.fixture(scope="module")
def course(tmp_path_factory: pytest.TempPathFactory) -> Course:
    found = small_course(tmp_path_factory.mktemp("course"))
    for name, text in OTHERS.items():
        path = found.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    shutil.copy(ROOT / "Makefile", found.root)
    return found


def changed(course: Course, name: str, text: str, folder: Path) -> Path:
    """A copy of the course with another file in it."""
    shutil.copytree(course.root, folder)
    (folder / name).write_text(text)
    return folder


def test_the_copy_is_written_once_it_is_right(course: Course) -> None:
    ran = course.labkit("release", "--out", "students.zip")
    assert (ran.code, ran.err) == (0, "")
    *checks, written = ran.out.splitlines()
    assert checks == [
        "ok: no file holds the body of a solution",
        "ok: every link lands in the copy",
        "ok: its pages and commands name nothing that it lacks",
        "ok: its commands start",
        "ok: the tests of lab07 run, and the stubs pass none",
    ]
    assert written.startswith("Written: students.zip, ")
    data = (course.root / "students.zip").read_bytes()
    for path in course.root.rglob("*.py"):
        path.touch()
    assert release.archive(release.students_copy(course.root)) == data
    with zipfile.ZipFile(io.BytesIO(data)) as file:
        assert file.namelist() == sorted(file.namelist())
        texts = {name.removeprefix("course/"): file.read(name) for name in file.namelist()}
    assert texts["src/tiny.py"] == STUBS.encode()
    assert "solution" not in texts["README.md"].decode() and "Lab 07" in texts["README.md"].decode()
    assert {"docs/07_tiny.md", "docs/terms.md", "docs/a b.txt", "tests/test_tiny.py"} <= set(texts)
    assert not {*OTHERS} & {*texts} - {"README.md", "docs/terms.md", "docs/a b.txt", "src/tiny.py"}
    assert not [
        name for name in texts if name.startswith(("src/labkit/grade", "src/labkit/proof", "src/labkit/author"))
    ]


@pytest.mark.parametrize(
    ("text", "holds"),
    [
        (f"# A page\n\n    {HALVE}\n", "the body of halve in solutions/tiny.py"),
        (HALVE.replace("  # both", "").replace(" / ", "/"), "the body of halve in solutions/tiny.py"),
        ("  two = 2 # here\n\n  return two * x * two / 2", "the body of double in tests/alternatives/tiny/1_doubling"),
        (HALVE.replace("halves", "both"), ""),
        (STUBS, ""),
    ],
)
def test_a_body_is_found_wherever_it_stands(text: str, holds: str, course: Course, tmp_path: Path) -> None:
    (tmp_path / "page.md").write_text(text)
    found = leaks(tmp_path, [course.lab])
    assert len(found) == bool(holds) and holds in "".join(found)


def test_a_leak_is_told_and_nothing_is_written(course: Course, tmp_path: Path) -> None:
    root = changed(course, "docs/terms.md", f"# Half\n\n    {HALVE}\n", tmp_path / "course")
    ran = Course(root).labkit("release", "--out", "leaky.zip")
    assert ran.code == 1 and not (root / "leaky.zip").exists()
    assert ran.out.splitlines() == [
        "FAILED: no file holds the body of a solution",
        "  docs/terms.md: holds the body of halve in solutions/tiny.py",
    ]
    assert ran.err == "labkit: leaky.zip is not written: the students' copy is not right\n"


@pytest.mark.parametrize("target", ["solutions/tiny.py", "labs/lab07_tiny/misconceptions.md", "secret"])
def test_a_page_links_to_no_answer(target: str, course: Course, tmp_path: Path) -> None:
    root = changed(course, "docs/terms.md", f"# Half\n\n[x](../{target})\n", tmp_path / "course")
    with pytest.raises(LabError, match=f"the students' copy would hold {target}; leave the link to it out"):
        release.students_copy(root)


def test_a_link_that_lands_nowhere_is_found(tmp_path: Path) -> None:
    (tmp_path / "docs").mkdir()
    (tmp_path / "docs" / "a.md").write_text("[b](b.md) [c](../c.md) [d](https://d.org/e)\n")
    (tmp_path / "docs" / "b.md").write_text("[a](a.md#x)\n")
    assert release.broken(tmp_path) == ["docs/a.md: c.md is not in the copy"]


def test_a_copy_says_that_it_has_no_solutions(tmp_path: Path) -> None:
    with pytest.raises(LabError, match="this copy of the course has no solutions: only your teacher has them"):
        implementation_path("solutions", "tiny", tmp_path)


@pytest.fixture(scope="module")
def copy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """That of this course."""
    folder = tmp_path_factory.mktemp("copy")
    with zipfile.ZipFile(io.BytesIO(release.archive(release.students_copy(ROOT)))) as file:
        file.extractall(folder)
    return folder / release.FOLDER


def test_this_courses_copy_holds_no_answer_and_its_links_land(copy: Path) -> None:
    assert leaks(copy, load_all(ROOT)) == []
    assert release.broken(copy) == []
    assert lacking(copy) == []


@pytest.mark.parametrize(
    ("name", "text", "says"),
    [
        ("docs/a.md", "Run\n`make test-lab07 IMPL=solutions`.\n", "docs/a.md, line 2: names IMPL=solutions"),
        ("docs/a.md", "```bash\npython solutions/tiny.py --train\n```\n", "docs/a.md, line 2: names solutions/"),
        ("labs/lab07_tiny/lab.toml", 'hint = "--impl solutions"', "lab.toml, line 1: names --impl solutions"),
        ("docs/a.ipynb", "pytest tests/course", "docs/a.ipynb, line 1: names tests/course"),
        ("Makefile", "test: ## (IMPL=solutions)\n", "Makefile, line 1: names IMPL=solutions"),
        ("docs/a.md", "- `make demo` shows it\n", "docs/a.md: `make demo` is not in the copy's Makefile"),
        ("docs/a.md", "```bash\nmake test-lab07\nmake grade LAB=07\n```\n", "`make grade` is not in the copy's"),
        ("docs/a.md", "`make`, `make test-lab07 STEP=1` make sense: two solutions\n", ""),
    ],
)
def test_what_the_copy_lacks_is_found_in_its_pages_and_commands(
    name: str, text: str, says: str, tmp_path: Path
) -> None:
    (tmp_path / "Makefile").write_text("help:\n\ntest-lab%: x ## test\n")
    (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
    (tmp_path / name).write_text(text)
    found = lacking(tmp_path)
    assert len(found) == bool(says) and says in "".join(found)


def test_an_experiment_in_the_copy_runs_the_students_own_file(copy: Path) -> None:
    environment = {"PATH": "/usr/bin:/bin", "PYTHONPATH": str(copy / "src"), "HOME": str(copy)}
    command = [sys.executable, "-m", "labkit", "experiment", "underflow"]
    ran = subprocess.run(command, cwd=copy, env=environment, capture_output=True, text=True)
    (line,) = ran.stderr.splitlines()
    assert ran.returncode == 2
    assert line.startswith("labkit: Step 1 is still to be solved: write mixed_precision_forward in src/")


@pytest.mark.skipif(shutil.which("make") is None, reason="this system has no make")
def test_the_copys_make_lists_what_students_need(copy: Path) -> None:
    listed = subprocess.run(["make"], cwd=copy, capture_output=True, text=True).stdout
    assert "test-lab" in listed and "clean" in listed
    assert not [
        word for word in ("demo", "proof-lab", "grade ", "release", "skeletons", "lint") if f"  {word}" in listed
    ]
