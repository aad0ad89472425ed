"""Writes files whole or not at all, and tells before the work starts whether a path can be written."""

import io
import json
import os
import stat
import tempfile
import zipfile
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO

from labkit.course.errors import LabError

MADE = (2026, 1, 1, 0, 0, 0)  # the date of every file in an archive


def check_writable(path: Path, option: str) -> None:
    """Raises LabError, naming the command line's `option`, unless a file can be made at `path`."""
    folder = path.resolve().parent
    try:
        if not folder.is_dir():
            raise LabError(f"{option} {path}: there is no folder {folder}; make it first, or give another path")
        if path.exists() and not path.is_file():
            raise LabError(f"{option} {path}: that is not a file; give the path of one")
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        raise LabError(f"{option} {path}: cannot be written ({error.strerror}); give another path") from None


def make_folder(path: Path, option: str) -> None:
    """Makes the folder with all above it, if it is not there. Raises LabError, naming the command line's `option`."""
    try:
        path.mkdir(parents=True, exist_ok=True)
    except FileExistsError:
        raise LabError(f"{option} {path}: that is a file; give the path of a folder") from None
    except OSError as error:
        raise LabError(f"{option} {path}: the folder cannot be made ({error.strerror}); give another") from None


def open_ordinary(path: Path) -> BinaryIO | None:
    """The file at `path`, whose name others may have made a link, a FIFO or a device: then None, and nobody waits.

    Raises:
        OSError: there is none, it is a link, or it cannot be read.
    """
    number = os.open(path, os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0))
    if stat.S_ISREG(os.fstat(number).st_mode):
        return open(number, "rb")
    os.close(number)
    return None


def write_whole(path: Path, data: bytes) -> None:
    """Puts `data` at `path`: anyone who looks, at any moment, finds the old file or the new one, never a part.

    Written beside it and renamed over it, each flushed to the disk. Raises LabError, the old file untouched.
    """
    path = path.resolve()  # a link stays a link: the file behind it is replaced
    temporary = path.with_name(f".{path.name}.{os.getpid()}.partial")
    try:
        with open(temporary, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
        sync_folder(path.parent)
    except OSError as error:
        raise LabError(f"{path}: cannot be written ({error.strerror}); what stood there is untouched") from None
    finally:
        with suppress(OSError):
            temporary.unlink(missing_ok=True)


def shown(path: Path, root: Path) -> str:
    """The path as a person types it in the folder `root`, if it lies below."""
    return path.relative_to(root).as_posix() if path.is_relative_to(root) else str(path)


def write_json(path: Path, data: object) -> None:
    """Writes `data` as JSON, whole or not at all. Raises LabError."""
    write_whole(path, (json.dumps(data, indent=1) + "\n").encode())


def sync_folder(folder: Path) -> None:
    """Makes renames in `folder` outlast a loss of power, where the system can."""
    with suppress(OSError):  # Windows opens no folders, some file systems sync none
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def zipped(files: Mapping[str, bytes], modes: Mapping[str, int] | None = None) -> bytes:
    """A zip of the files by their paths; a mode is 0o644 where none is given. Equal files give equal bytes."""
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w") as file:
        for name in sorted(files):
            entry = zipfile.ZipInfo(name, MADE)
            entry.external_attr = (stat.S_IFREG | (modes or {}).get(name, 0o644)) << 16
            entry.compress_type = zipfile.ZIP_DEFLATED
            file.writestr(entry, files[name])
    return data.getvalue()
