"""Remembers the verdicts on a student's file for as long as nothing that they depend on has changed.

They are kept in `.labkit/`, a file for each lab, under a fingerprint of that lab's own files and of the machinery.
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
from labkit.course.manifest import Lab, find
from labkit.course.records import Record

FOLDER = ".labkit"  # below the root; ignored by git, and nothing in it is missed


def written(lab: Lab) -> bytes | None:
    """What the student has written; None if the file is not there.

    Raises:
        LabError: it cannot be read, or something else is in its place.
    """
    file = lab.paths.student
    name = shown(file, lab.paths.root)
    try:
        if not os.path.lexists(file):
            return None
        if not file.is_file():  # a folder, a dangling link, or a pipe, which would be waited for
            raise LabError(f"{name} is not a file: move it away, then make reset-{lab.name}")
        return file.read_bytes()
    except FileNotFoundError:
        return None
    except OSError as error:
        raise LabError(f"{name} cannot be read ({error.strerror}): fix its permissions") from None


class Fingerprint(NamedTuple):
    """What verdicts depend on: a hash of it, and when its files were saved; they may be changed and changed back."""

    digest: str
    saved: tuple[int, ...]


def fingerprint(lab: Lab) -> Fingerprint:
    """All that the verdicts on the student's file depend on; no file that belongs to another lab."""
    root = lab.paths.root
    files = _counted(
        lab.paths.manifest,
        *lab.paths.graded_by(),
        *(file for path in lab.paths.data for file in (path.rglob("*") if path.is_dir() else [path])),
        *_code(lab),
    )
    return Fingerprint(_digest(files, root, machinery(root) + _versions(lab)), tuple(map(_saved, files)))


def _code(lab: Lab) -> list[Path]:
    """The student's file, what it builds on, the kits of both, and the modules beside it that are no other lab's."""
    src = lab.paths.root / "src"
    stems = {manifest.parent.name.partition("_")[2] for manifest in lab.paths.root.glob("labs/*/lab.toml")}
    others = stems - set(_built_from(lab))
    beside = [path for path in src.rglob("*.py") if _module(path, src) not in ("labkit", *others)]
    kits = [path for stem in _built_from(lab) for path in (src / "labkit" / "labs" / stem).rglob("*")]
    return [*beside, *kits]


def _module(path: Path, src: Path) -> str:
    """The name under which the file, or the package that it is in, is imported."""
    return path.relative_to(src).parts[0].removesuffix(".py")


def _built_from(lab: Lab) -> list[str]:
    """The stems of the lab and of all that it builds on, directly or not."""
    stems = [lab.stem]
    for stem in stems:
        built_on = lab.builds_on if stem == lab.stem else find(stem, lab.paths.root).builds_on
        stems += [one for one in built_on if one not in stems]
    return stems


def _versions(lab: Lab) -> str:
    """The versions of the packages that the lab needs: once one is installed, its tests are no longer skipped."""
    names = sorted({name for step in lab.steps for name in lab.needs + step.needs})
    return " ".join(f"{name} {_version(name)}" for name in names)


def _version(name: str) -> str:
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return "missing"


@functools.cache
def machinery(root: Path) -> str:
    """A hash of labkit without the labs' own code, the options of pytest and the versions.

    Taken once a process, whose code does not change.
    """
    labkit = root / "src" / "labkit"
    files = [path for path in labkit.rglob("*") if not path.is_relative_to(labkit / "labs")]
    versions = [platform.python_version(), *map(_version, ("torch", "numpy", "pytest"))]
    return _digest(_counted(*files, root / "conftest.py", root / "pyproject.toml"), root, " ".join(versions))


def remember(lab: Lab, under: Fingerprint, records: Iterable[Record], error: str = "") -> None:
    """Keeps `records` (or the `error` that kept the file from being loaded), if `under` still is the fingerprint.

    Earlier verdicts under the same fingerprint stay; a folder that cannot be written is no error, only slow.
    """
    records = list(records)
    if not (records or error) or under != fingerprint(lab):
        return  # nothing to keep; or saved again while the tests ran: nobody knows which of the two they saw
    kept = _kept(lab, under.digest)
    verdicts = kept["records"] | {record.id: asdict(record) for record in records}
    data = {"fingerprint": under.digest, "error": error, "records": verdicts}
    path = _path(lab)
    with suppress(LabError, OSError):
        path.parent.mkdir(exist_ok=True)
        write_json(path, data)


def recall(lab: Lab) -> tuple[list[Record], str]:
    """What is known of the student's file as it stands: its records (all, some or none of the lab's), its error."""
    kept = _kept(lab, fingerprint(lab).digest)
    try:
        known = {name: Record.of(data) for name, data in kept["records"].items()}
    except TypeError:
        return [], ""
    return [known[one.id] for one in lab.behaviours if one.id in known], kept["error"]


def _kept(lab: Lab, digest: str) -> dict:
    nothing = {"error": "", "records": {}}
    try:
        data = json.loads(_path(lab).read_text(encoding="utf-8"))
        whole = type(data["error"]) is str and type(data["records"]) is dict
        return data if whole and data["fingerprint"] == digest else nothing
    except (OSError, ValueError, KeyError, TypeError):
        return nothing


def _path(lab: Lab) -> Path:
    return lab.paths.root / FOLDER / f"verdicts-{lab.name}.json"


def _counted(*paths: Path) -> list[Path]:
    """The files among the paths, in order; an editor's lock and .DS_Store are no part of a course."""
    return sorted(
        path
        for path in set(paths)
        if path.is_file() and not path.name.startswith(".") and "__pycache__" not in path.parts
    )


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
