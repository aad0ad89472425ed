"""Reads what students hand in: folders, files and archives, bounded in all that it takes.

Nothing is unpacked to the disk, run or compiled, and no link is followed.
"""

import io
import itertools
import os
import re
import stat
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from labkit.course.files import open_ordinary
from labkit.course.screen import visible

LARGEST = 1_000_000  # bytes of a lab file
ARCHIVE = 20_000_000  # bytes of an archive
ARCHIVES = 20  # that are opened of a submission
ENTRIES = 2000  # files and folders that are looked at in a folder, or in an archive
ENTRY = b"PK\1\2"  # begins every entry of an archive's directory
UNASKED = "is not part of this lab and was ignored"
NOTEBOOK = "is a notebook: download its code as a .py file, and hand that in"
# What systems, editors and browsers leave; names that begin with a dot too.
JUNK = {"__macosx", "__pycache__", "thumbs.db", "desktop.ini", "venv", "node_modules", "site-packages"}


class Refused(Exception):
    """Why a file or an archive is not looked into."""


@dataclass(frozen=True)
class Found:
    """A Python file of a submission; `upload` orders what Canvas has of one student."""

    path: str
    name: str
    depth: int
    read: Callable[[], bytes]
    upload: int = 0


def look_at(top: Path, given: str, upload: int, left: dict[str, str]) -> Iterator[Found]:
    """The Python files at `top` and below; `left` is told of all else. `given`: what `top` is called if it is one."""
    archives = 0
    waiting = [(top, "", 0)]
    for looked in itertools.count(1):
        if not waiting:
            return
        if looked > ENTRIES:
            left[text_of(top.name)] = f"has more than {ENTRIES:,} files"
            return
        path, shown, depth = waiting.pop(0)
        name = text_of(path.name)
        try:
            mode = path.lstat().st_mode
            if stat.S_ISDIR(mode):
                inside = sorted(one for one in os.listdir(path) if not is_junk(one))[: ENTRIES + 1]
                waiting += [(path / one, f"{shown}/{text_of(one)}".lstrip("/"), depth + 1) for one in inside]
            elif not stat.S_ISREG(mode):
                left[shown or name] = "is a link" if stat.S_ISLNK(mode) else "is no ordinary file"
            elif name.casefold().endswith(".py"):
                read = _reader(path)
                yield Found(shown or name, name if depth else given, max(depth - 1, 0), read, upload)
            elif name.casefold().endswith(".zip"):
                archives += 1
                if archives > ARCHIVES:
                    raise Refused(f"was not opened: it is one of more than {ARCHIVES} archives")
                yield from _in_archive(_read(path, ARCHIVE), shown or name, max(depth - 1, 0), upload, left)
            else:
                left[shown or name] = _unasked(name)
        except Refused as refused:
            left[shown or name] = str(refused)
        except OSError as error:
            left[shown or name] = f"cannot be read: {error.strerror}"


def _in_archive(data: bytes, shown: str, depth: int, upload: int, left: dict[str, str]) -> Iterator[Found]:
    """The Python files of an archive. Raises Refused."""
    if data.count(ENTRY) > ENTRIES:  # before it is parsed: what its end says of their number may be a lie
        raise Refused(f"has more than {ENTRIES:,} files")
    try:
        archive = zipfile.ZipFile(io.BytesIO(data))
        entries = archive.infolist()
    except Exception as error:  # whatever its bytes do to the parser
        says = "is not a readable zip archive: zip the files again, or hand in the .py file itself"
        raise Refused(f"{says} ({error})") from None
    for entry in entries:
        path = PurePosixPath(entry.filename.replace("\\", "/"))
        if path.is_absolute() or ".." in path.parts or re.match("[a-zA-Z]:", entry.filename):
            raise Refused(f"names a file outside of the archive: {visible(entry.filename[:80])}")
    for entry in entries:
        path = PurePosixPath(text_of(entry.filename.replace("\\", "/")))
        if entry.is_dir() or any(map(is_junk, path.parts)):
            continue
        if stat.S_ISLNK(entry.external_attr >> 16):
            left[f"{shown}/{path}"] = "is a link"
        elif path.suffix.casefold() == ".py":
            read = _unzipper(archive, entry)
            yield Found(f"{shown}/{path}", path.name, depth + len(path.parts) - 1, read, upload)
        else:
            left[f"{shown}/{path}"] = _unasked(path.name)


def _read(path: Path, most: int = LARGEST) -> bytes:
    """The bytes of an ordinary file. Raises Refused or OSError; never waits for a FIFO that has come there."""
    file = open_ordinary(path)
    if file is None:
        raise Refused("is no ordinary file")
    with file:
        return _bounded(file.read(most + 1), most)


def _reader(path: Path) -> Callable[[], bytes]:
    def read() -> bytes:
        try:
            return _read(path)
        except OSError as error:
            raise Refused(f"cannot be read: {error.strerror}") from None

    return read


def _unzipper(archive: zipfile.ZipFile, entry: zipfile.ZipInfo) -> Callable[[], bytes]:
    def read() -> bytes:
        if entry.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):  # others take memory as they like
            raise Refused("is compressed in an unusual way; make an ordinary zip")
        try:
            with archive.open(entry) as file:
                data = file.read(LARGEST + 1)
        except Exception as error:  # a password, a wrong sum, whatever its bytes do to the parser
            raise Refused(f"cannot be unpacked ({error})") from None
        return _bounded(data, LARGEST)

    return read


def _bounded(data: bytes, most: int) -> bytes:
    if len(data) > most:
        raise Refused(f"has more than {most:,} bytes")
    return data


def is_junk(name: str) -> bool:
    return name.startswith(".") or name.casefold() in JUNK


def text_of(name: str) -> str:
    """A file's name as text: bytes that are not UTF-8 are written out."""
    return name.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")


def _unasked(name: str) -> str:
    return NOTEBOOK if name.casefold().endswith(".ipynb") else UNASKED
