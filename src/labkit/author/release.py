"""The students' copy of the course: what they run and read, and nothing that holds an answer.

Pages are found by their links, from README.md and the labs' own on, so that every link of the copy lands in it. What is
the course's own in a page is between two comments, and in the Makefile below a heading; neither is in the copy. So no
page tells students to use what their copy lacks: `check` looks for that too.
"""

import json
import os
import re
import subprocess
import sys
import tempfile
import urllib.parse
import zipfile
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path

from labkit.author.lacking import lacking
from labkit.author.leaks import leaks
from labkit.course import pages
from labkit.course.errors import LabError
from labkit.course.files import zipped
from labkit.course.manifest import Lab, load_all

FOLDER = "course"  # what the archive unpacks to
KEPT = (".gitignore", "conftest.py", "constraints.txt", "pyproject.toml")
NOT_THEIRS = ("author", "grade", "proof")  # packages of labkit
OURS = re.compile(r"<!-- the course's own -->\n.*?<!-- until here -->\n\n?", re.DOTALL)  # in a page
OUR_TARGETS = "\n# The course\n"  # in the Makefile, to its end
FORBIDDEN = re.compile(
    r"(^|/)(solutions|mistakes|alternatives|hidden\w*|bench|misconceptions\.md|secret)(/|$)|^tests/course/"
)
UNDONE = {"todo", "blocked", "skipped"}  # the states of tests that stubs leave


def students_copy(root: Path) -> dict[str, bytes]:
    """The files of the copy by their paths.

    Raises:
        LabError: a manifest is wrong, or a page of the copy links to what is not in it.
    """
    labs = load_all(root)
    files = {name: (root / name).read_bytes() for name in KEPT if (root / name).exists()}
    for path in (root / "src" / "labkit").rglob("*"):
        if path.is_file() and "__pycache__" not in path.parts and path.relative_to(root).parts[2] not in NOT_THEIRS:
            files[_name(path, root)] = path.read_bytes()
    for lab in labs:
        files |= {_name(path, root): path.read_bytes() for path in _of_lab(lab)}
        files[_name(lab.paths.student, root)] = lab.paths.skeleton.read_bytes()
    if (root / "Makefile").exists():
        files["Makefile"] = (root / "Makefile").read_text(encoding="utf-8").partition(OUR_TARGETS)[0].encode()
    waiting = ["README.md", *(_name(page, root) for lab in labs for page in (lab.paths.handout, lab.paths.reading))]
    while waiting:
        name = waiting.pop()
        if name not in files and (root / name).is_file():
            files[name] = (root / name).read_bytes()
            if name.endswith(".md"):
                files[name] = OURS.sub("", files[name].decode()).encode()
                waiting += _links(name, files[name].decode())
    if wrong := sorted(filter(FORBIDDEN.search, files)):
        raise LabError(
            f"the students' copy would hold {', '.join(wrong)}; leave the link to it out, or out of the copy"
        )
    return dict(sorted(files.items()))


def archive(files: dict[str, bytes]) -> bytes:
    """The copy as a zip; equal files give equal bytes."""
    return zipped({f"{FOLDER}/{name}": data for name, data in files.items()})


def check(data: bytes, root: Path) -> Iterator[tuple[str, list[str]]]:
    """Unpacks the archive of the course at `root`, and puts it to the test: what each check is, and what it found."""
    with tempfile.TemporaryDirectory(prefix="labkit-release-") as scratch:
        with zipfile.ZipFile(BytesIO(data)) as file:
            file.extractall(scratch)
        copy = Path(scratch).resolve() / FOLDER
        labs = load_all(root)
        yield "no file holds the body of a solution", leaks(copy, labs)
        yield "every link lands in the copy", broken(copy)
        yield "its pages and commands name nothing that it lacks", lacking(copy)
        yield "its commands start", _complaint(copy, "-m", "labkit", "status")
        for lab in labs:
            yield f"the tests of {lab.name} run, and the stubs pass none", _graded(copy, lab)


def _of_lab(lab: Lab) -> Iterator[Path]:
    paths = lab.paths
    yield from filter(Path.is_file, (paths.manifest, paths.skeleton, paths.misconceptions, *paths.graded_by()))
    for data in paths.data:
        yield from [data] if data.is_file() else filter(Path.is_file, data.rglob("*"))


def _links(name: str, text: str) -> list[str]:
    """The files of the course to which the page links."""
    found = []
    for token in pages.parse(text):
        for part in token.children or [token]:
            targets = [str(part.attrs[key]) for key in ("href", "src") if key in part.attrs]
            targets += re.findall(r"\s(?:href|src)=[\"']([^\"']+)", part.content) if "html" in part.type else []
            for target in targets:
                path = urllib.parse.unquote(target.partition("#")[0])
                if path and not re.match(r"[a-z][a-z+.-]*:", path):
                    found.append(os.path.normpath(Path(name).parent / path))
    return [Path(path).as_posix() for path in found]


def broken(copy: Path) -> list[str]:
    """The links of the copy that land nowhere. Headings are the same as in the course, where the tests check them."""
    return [
        f"{_name(page, copy)}: {target} is not in the copy"
        for page in sorted(copy.rglob("*.md"))
        for target in _links(_name(page, copy), page.read_text(encoding="utf-8"))
        if not (copy / target).exists()
    ]


def _graded(copy: Path, lab: Lab) -> list[str]:
    report = copy / "report.json"
    said = _complaint(copy, "-m", "pytest", "-q", f"tests/{lab.paths.suite.name}", "--json", str(report), fails=True)
    if said or not report.exists():
        return said or ["pytest wrote no records"]
    states = {record["id"]: record["state"] for record in json.loads(report.read_text())["records"]}
    missing = {one.id: "not run" for one in lab.behaviours if one.id not in states}
    return [f"{test}: {state}" for test, state in (states | missing).items() if state not in UNDONE]


def _complaint(copy: Path, *command: str, fails: bool = False) -> list[str]:
    """Runs this Python in the copy; the last line where it does not end as it should, with failed tests or without."""
    environment = {"PATH": "/usr/bin:/bin", "PYTHONPATH": str(copy / "src"), "HOME": str(copy), "OMP_NUM_THREADS": "1"}
    ran = subprocess.run([sys.executable, *command], cwd=copy, env=environment, capture_output=True, text=True)
    *_, last = ["no output", *(ran.stdout + ran.stderr).strip().splitlines()]
    return [] if ran.returncode == int(fails) else [last]


def _name(path: Path, root: Path) -> str:
    return Path(os.path.relpath(path, root)).as_posix()
