"""What of the course grades one lab, with an instructor's own hidden tests if there are some.

A folder of hidden tests has the shape of a small lab's suite: `test_<stem>.py` with the tests, `lab.toml` with their
[[behaviours]] alone, and, where the public scenarios do not do, `scenarios.py` with more, which the tests import by
`from scenarios.<stem> import hidden`. They join the public ones in a copy of the course, and nowhere else.
docs/examples/hidden_lab04 is such a folder.
"""

import ast
import re
import tempfile
import tomllib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from labkit.course.errors import LabError
from labkit.course.lab import Lab
from labkit.course.manifest import find, load


@contextmanager
def with_hidden(lab: Lab, hidden: Path | None) -> Iterator[Lab]:
    """The lab with the tests of the folder `hidden`, in a copy that is removed afterwards; without a folder, the lab.

    Raises:
        LabError: the folder is no such folder; one line says what is wrong in it.
    """
    if hidden is None:
        yield lab
        return
    with tempfile.TemporaryDirectory(prefix="labkit-hidden-") as name:
        root = Path(name).resolve()
        for path, data in excerpt(lab, hidden).items():
            (root / path).parent.mkdir(parents=True, exist_ok=True)
            (root / path).write_bytes(data)
        try:
            yield load(root / lab.paths.manifest.relative_to(lab.paths.root))
        except LabError as error:
            raise LabError(_in_your_files(str(error), lab, hidden, root), error.exit_code) from None


def _in_your_files(error: str, lab: Lab, hidden: Path, root: Path) -> str:
    """The error of the copy at `root` as a line that names the files of the folder `hidden`."""
    first, *more = error.splitlines()
    if more:  # pytest's page on a suite that cannot be imported
        where = re.findall(r"^(?:E +File )?\"?(\S*/hidden\.py)\"?(?:, line |:)(\d+)", error, re.MULTILINE)
        problems = re.findall(r"^E   (\w.*)", error, re.MULTILINE)
        if where and problems:
            first = f"{where[-1][0]}, line {where[-1][1]}: {problems[-1]}"
    own = {
        lab.paths.manifest.relative_to(lab.paths.root): "lab.toml",
        Path("tests/suites", lab.stem, "hidden.py"): f"test_{lab.stem}.py",
        Path("tests/scenarios", lab.stem, "hidden.py"): "scenarios.py",
    }
    for path, name in own.items():
        yours = str(hidden / name).replace("\\", r"\\")
        first = re.sub(rf"[^\s'\"(]*{re.escape(str(path))}", yours, first)
    first = re.sub(rf" \({re.escape(str(root))}\S*\)", "", first)  # the place of a module of the copy
    public = len(lab.behaviours)
    return re.sub(r"(?<=behaviours\[)\d+(?=\])", lambda number: str(int(number[0]) - public), first)


def excerpt(lab: Lab, hidden: Path | None = None) -> dict[str, bytes]:
    """The files that grading the lab takes, by their paths: no solution, no mistake, no test of the course.

    Raises:
        LabError: `hidden` is no folder of hidden tests.
    """
    root = lab.paths.root
    labs = [lab, *(find(stem, root) for stem in lab.builds_on)]
    paths = [root / name for name in ("conftest.py", "pyproject.toml", "constraints.txt")]
    paths += _python(root / "src" / "labkit", {one.stem for one in labs})
    for one in labs:
        paths += [one.paths.manifest, one.paths.reading, one.paths.misconceptions, *one.paths.graded_by()]
        paths += [path for data in one.paths.data for path in ([data] if data.is_file() else data.rglob("*"))]
    files = {path.relative_to(root).as_posix(): path.read_bytes() for path in sorted(set(paths)) if path.is_file()}
    return files if hidden is None else dict(sorted((files | _joined(lab, hidden, files)).items()))


def _joined(lab: Lab, hidden: Path, files: dict[str, bytes]) -> dict[str, bytes]:
    """The files of the course that are others with the hidden tests."""
    manifest, tests = (_text(hidden, name) for name in ("lab.toml", f"test_{lab.stem}.py"))
    scenarios = _text(hidden, "scenarios.py") if (hidden / "scenarios.py").exists() else None
    _check(lab, hidden, manifest, tests)
    suite, toml = f"tests/test_{lab.stem}.py", lab.paths.manifest.relative_to(lab.paths.root).as_posix()
    marked = re.sub(r"(?m)^\s*\[\[\s*behaviours\s*\]\].*$", r"\g<0>\nhidden = true", manifest)
    joined = {
        toml: files[toml] + f"\n{marked}".encode(),
        suite: files[suite] + f"\nfrom suites.{lab.stem}.hidden import *  # noqa: F403\n".encode(),
        f"tests/suites/{lab.stem}/hidden.py": tests.encode(),
    }
    if scenarios is not None:
        public = f"tests/scenarios/{lab.stem}"
        if f"{public}.py" in files:  # a module becomes a package of the same name
            joined[f"{public}/__init__.py"] = files.pop(f"{public}.py")
        joined[f"{public}/hidden.py"] = scenarios.encode()
    return joined


def _check(lab: Lab, hidden: Path, manifest: str, tests: str) -> None:
    """Raises LabError unless manifest and tests name the same ones."""
    path, name = hidden / "lab.toml", f"test_{lab.stem}.py"
    try:
        data = tomllib.loads(manifest)
        functions = {one.name for one in ast.parse(tests).body if isinstance(one, ast.FunctionDef)}
    except tomllib.TOMLDecodeError as error:
        raise LabError(f"{path}: is not valid TOML: {error}; correct it there") from None
    except SyntaxError as error:
        raise LabError(f"{hidden / name}, line {error.lineno}: {error.msg}") from None
    entries = data.get("behaviours")
    if set(data) != {"behaviours"} or not isinstance(entries, list) or not all(type(one) is dict for one in entries):
        raise LabError(f"{path}: give a [[behaviours]] for each hidden test, as in {lab.paths.manifest}, and no more")
    ids = {str(one.get("id")) for one in entries}
    for test in sorted(ids & {one.id for one in lab.behaviours}):
        raise LabError(f"{path}: behaviours: {test} is a public test of {lab.name}; give yours another name")
    for test in sorted({one for one in functions if one.startswith("test_")} - ids):
        raise LabError(f"{path}: behaviours: {test} is missing; {name} has such a test")
    for test in sorted(ids - functions):
        raise LabError(f"{path}: behaviours: {name} has no function {test}; write it, or remove the entry")


def _text(hidden: Path, name: str) -> str:
    try:
        return (hidden / name).read_text(encoding="utf-8")
    except FileNotFoundError:
        raise LabError(f"--hidden {hidden}: there is no {name}; see 'Hidden tests' in docs/instructors.md") from None
    except (OSError, UnicodeDecodeError) as error:
        raise LabError(f"{hidden / name}: cannot be read: {error}") from None


def _python(labkit: Path, stems: set[str]) -> Iterator[Path]:
    """labkit without the kits of other labs, and without what Python has compiled."""
    for path in labkit.rglob("*"):
        kit = path.relative_to(labkit).parts[1:2] if path.is_relative_to(labkit / "labs") else ()
        others = kit and (labkit / "labs" / kit[0]).is_dir() and kit[0] not in stems
        if "__pycache__" not in path.parts and not others:
            yield path
