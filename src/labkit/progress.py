"""Remembers the verdicts on a student's file for as long as nothing that they depend on has changed.

They stand in `.labkit/`, under a fingerprint of the file, the suite, the manifest, the machinery and its versions.
Torch is not imported: to look something up costs milliseconds.
"""

import functools
import hashlib
import importlib.metadata
import json
import platform
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path

from labkit.errors import LabError
from labkit.files import write_json
from labkit.manifest import ROOT, Lab
from labkit.records import Record

FOLDER = ".labkit"  # below the root; ignored by git, and nothing in it is missed


def student_file(lab: Lab, root: Path = ROOT) -> Path:
    """The one file that a student edits."""
    return root / "src" / f"{lab.stem}.py"


def fingerprint(lab: Lab, root: Path = ROOT) -> str:
    """A hash of all that the verdicts on the student's file depend on; helper modules beside the file included."""
    tests = root / "tests"
    files = [
        *(root / "src").glob("*.py"),
        *(tests / "scenarios").rglob("*.py"),
        *(tests / "references").rglob("*.py"),
        tests / f"test_{lab.stem}.py",
        lab.folder / "lab.toml",
    ]
    return _digest(files, root, machinery(root))


@functools.cache
def machinery(root: Path) -> str:
    """A hash of labkit, the options of pytest and the versions; taken once a process, whose code does not change."""
    files = [path for path in (root / "src" / "labkit").rglob("*") if "__pycache__" not in path.parts]
    versions = [platform.python_version(), *map(importlib.metadata.version, ("torch", "numpy", "pytest"))]
    return _digest([*files, root / "conftest.py", root / "pyproject.toml"], root, " ".join(versions))


def remember(lab: Lab, under: str, records: Iterable[Record], error: str = "", root: Path = ROOT) -> None:
    """Keeps `records` (or the `error` that kept the file from being loaded), if `under` still is the fingerprint.

    Earlier verdicts under the same fingerprint stay; a folder that cannot be written is no error, only slow.
    """
    records = list(records)
    if not (records or error) or under != fingerprint(lab, root):
        return  # nothing to keep; or saved again while the tests ran: nobody knows which of the two they saw
    kept = _kept(lab, under, root)
    verdicts = kept["records"] | {record.id: asdict(record) for record in records}
    data = {"fingerprint": under, "error": error, "records": verdicts}
    path = _path(lab, root)
    with suppress(LabError, OSError):
        path.parent.mkdir(exist_ok=True)
        write_json(path, data)


def recall(lab: Lab, root: Path = ROOT) -> tuple[list[Record], str]:
    """What is known of the student's file as it stands: its records (all, some or none of the lab's), its error."""
    kept = _kept(lab, fingerprint(lab, root), root)
    try:
        known = {name: Record(**data) for name, data in kept["records"].items()}
    except TypeError:
        return [], ""
    return [known[one.id] for one in lab.behaviours if one.id in known], kept["error"]


def _kept(lab: Lab, under: str, root: Path) -> dict:
    nothing = {"error": "", "records": {}}
    try:
        data = json.loads(_path(lab, root).read_text(encoding="utf-8"))
        whole = type(data["error"]) is str and type(data["records"]) is dict
        return data if whole and data["fingerprint"] == under else nothing
    except (OSError, ValueError, KeyError, TypeError):
        return nothing


def _path(lab: Lab, root: Path) -> Path:
    return root / FOLDER / f"verdicts-{lab.name}.json"


def _digest(files: Iterable[Path], root: Path, start: str) -> str:
    digest = hashlib.sha256(start.encode())
    for path in sorted(files):
        if path.is_dir() or path.name.startswith("."):  # an editor's lock, .DS_Store
            continue
        digest.update(str(path.relative_to(root)).encode() + b"\0")
        try:
            digest.update(hashlib.sha256(path.read_bytes()).digest())
        except OSError:
            digest.update(b"missing")
    return digest.hexdigest()
