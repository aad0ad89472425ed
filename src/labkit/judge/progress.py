"""Remembers the verdicts on a student's file for as long as nothing that they depend on has changed.

They stand in `.labkit/`, under a fingerprint of the file, the suite, the manifest, the machinery and its versions.
Torch is not imported: to look something up costs milliseconds.
"""

import functools
import hashlib
import importlib.metadata
import json
import os
import platform
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path
from typing import NamedTuple

from labkit.course.errors import LabError
from labkit.course.files import shown, write_json
from labkit.course.manifest import ROOT, Lab
from labkit.course.records import Record

FOLDER = ".labkit"  # below the root; ignored by git, and nothing in it is missed


def student_file(lab: Lab, root: Path = ROOT) -> Path:
    """The one file that a student edits."""
    return root / "src" / f"{lab.stem}.py"


def written(lab: Lab, root: Path = ROOT) -> bytes | None:
    """What the student has written; None if the file is not there.

    Raises:
        LabError: it cannot be read, or something else is in its place.
    """
    file = student_file(lab, root)
    try:
        if not os.path.lexists(file):
            return None
        if not file.is_file():  # a folder, a dangling link, or a pipe, which would be waited for
            raise LabError(f"{shown(file, root)} is not a file: move it away, then make reset-{lab.name}")
        return file.read_bytes()
    except FileNotFoundError:
        return None
    except OSError as error:
        raise LabError(f"{shown(file, root)} cannot be read ({error.strerror}): mend its permissions") from None


class Fingerprint(NamedTuple):
    """What verdicts depend on: a hash of it, and when its files were saved; they may be changed and changed back."""

    digest: str
    saved: tuple[int, ...]


def fingerprint(lab: Lab, root: Path = ROOT) -> Fingerprint:
    """All that the verdicts on the student's file depend on; helper modules and packages beside the file included."""
    tests, labkit = root / "tests", root / "src" / "labkit"
    files = _counted(
        *(path for path in (root / "src").rglob("*.py") if not path.is_relative_to(labkit)),
        *(tests / "scenarios").rglob("*.py"),
        *(tests / "references").rglob("*.py"),
        tests / f"test_{lab.stem}.py",
        lab.folder / "lab.toml",
    )
    return Fingerprint(_digest(files, root, machinery(root)), tuple(map(_saved, files)))


@functools.cache
def machinery(root: Path) -> str:
    """A hash of labkit, the options of pytest and the versions; taken once a process, whose code does not change."""
    labkit = (path for path in (root / "src" / "labkit").rglob("*") if "__pycache__" not in path.parts)
    versions = [platform.python_version(), *map(importlib.metadata.version, ("torch", "numpy", "pytest"))]
    return _digest(_counted(*labkit, root / "conftest.py", root / "pyproject.toml"), root, " ".join(versions))


def remember(lab: Lab, under: Fingerprint, records: Iterable[Record], error: str = "", root: Path = ROOT) -> None:
    """Keeps `records` (or the `error` that kept the file from being loaded), if `under` still is the fingerprint.

    Earlier verdicts under the same fingerprint stay; a folder that cannot be written is no error, only slow.
    """
    records = list(records)
    if not (records or error) or under != fingerprint(lab, root):
        return  # nothing to keep; or saved again while the tests ran: nobody knows which of the two they saw
    kept = _kept(lab, under.digest, root)
    verdicts = kept["records"] | {record.id: asdict(record) for record in records}
    data = {"fingerprint": under.digest, "error": error, "records": verdicts}
    path = _path(lab, root)
    with suppress(LabError, OSError):
        path.parent.mkdir(exist_ok=True)
        write_json(path, data)


def recall(lab: Lab, root: Path = ROOT) -> tuple[list[Record], str]:
    """What is known of the student's file as it stands: its records (all, some or none of the lab's), its error."""
    kept = _kept(lab, fingerprint(lab, root).digest, root)
    try:
        known = {name: Record.of(data) for name, data in kept["records"].items()}
    except TypeError:
        return [], ""
    return [known[one.id] for one in lab.behaviours if one.id in known], kept["error"]


def _kept(lab: Lab, digest: str, root: Path) -> dict:
    nothing = {"error": "", "records": {}}
    try:
        data = json.loads(_path(lab, root).read_text(encoding="utf-8"))
        whole = type(data["error"]) is str and type(data["records"]) is dict
        return data if whole and data["fingerprint"] == digest else nothing
    except (OSError, ValueError, KeyError, TypeError):
        return nothing


def _path(lab: Lab, root: Path) -> Path:
    return root / FOLDER / f"verdicts-{lab.name}.json"


def _counted(*paths: Path) -> list[Path]:
    """The files among the paths, in order; an editor's lock and .DS_Store are no part of a course."""
    return sorted(path for path in paths if path.is_file() and not path.name.startswith("."))


def _digest(files: Iterable[Path], root: Path, start: str) -> str:
    digest = hashlib.sha256(start.encode())
    for path in files:
        digest.update(str(path.relative_to(root)).encode() + b"\0")
        try:
            digest.update(hashlib.sha256(path.read_bytes()).digest())
        except OSError:
            digest.update(b"unreadable")
    return digest.hexdigest()


def _saved(path: Path) -> int:
    """When the file was saved, in nanoseconds; 0 if it has gone since it was listed."""
    try:
        return path.stat().st_mtime_ns
    except OSError:
        return 0
