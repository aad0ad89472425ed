"""Takes submissions in: a folder with a folder, a `.py` or a `.zip` for each student, as Moodle and Canvas export them.

Nothing is unpacked, run or compiled, and no link is followed: of every submission the lab's own files are read, whole
and bounded, and all else is left where it is. A submission without them is kept, with the reason.
"""

import hashlib
import io
import itertools
import os
import re
import stat
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path, PurePosixPath

from labkit.course.errors import LabError
from labkit.course.files import open_ordinary
from labkit.course.manifest import Lab
from labkit.course.screen import visible

LARGEST = 1_000_000  # bytes of a lab file
ARCHIVE = 20_000_000  # bytes of an archive
ENTRIES = 2000  # files and folders that are looked at in a folder, or in an archive
ENTRY = b"PK\1\2"  # begins every entry of an archive's directory
UNASKED = "is not part of this lab and was ignored"
UNUSED = "was not used: another version was graded"
WHICH = "which "  # begins the reason where two files may be meant
NOTEBOOK = "is a notebook: download its code as a .py file, and hand that in"
SHOWN = 30  # of what was left, by name

MOODLE = re.compile(r"(?P<who>.+_\d+)_assignsubmission_[a-z]+_?(?P<name>.*)", re.DOTALL)
CANVAS = re.compile(
    r"(?P<who>[^_]+)(?P<late>_late)?(?P<number>_\d+)_(?P<upload>\d+)_(?P<name>.+)", re.DOTALL | re.IGNORECASE
)
# What systems, editors and browsers leave; names that begin with a dot too.
JUNK = {"__macosx", "__pycache__", "thumbs.db", "desktop.ini", "venv", "node_modules", "site-packages"}


class Refused(Exception):
    """Why a file or an archive is not looked into."""


@dataclass(frozen=True)
class Submission:
    """What was taken of a student's files, by the names that the lab gives them, and what was left, with the reason.

    `reason` says why there is nothing to grade; `late` is what Canvas says of an upload.
    """

    id: str
    files: dict[str, bytes] = field(default_factory=dict)
    taken: tuple[str, ...] = ()
    left: tuple[tuple[str, str], ...] = ()
    reason: str = ""
    late: bool = False

    @property
    def digest(self) -> str:
        """The same as long as what would be graded is."""
        content = [(name, hashlib.sha256(data).hexdigest()) for name, data in sorted(self.files.items())]
        return hashlib.sha256(repr((content, self.reason)).encode()).hexdigest()


@dataclass(frozen=True)
class _Found:
    """A Python file of a submission. `path` is shown; `upload` orders what Canvas has of one student."""

    path: str
    name: str
    depth: int
    read: Callable[[], bytes]
    upload: int = 0


def read_folder(folder: Path, lab: Lab) -> list[Submission]:
    """Every submission in the folder, by name.

    Raises:
        LabError: there is no such folder, it holds nothing, or it is above or below the one that is meant.
    """
    if not folder.is_dir():
        raise LabError(f"{folder}: is no folder; give the one in which each student has a folder, a .py or a .zip")
    try:
        names = sorted(name for name in os.listdir(folder) if not _junk(name))
    except OSError as error:
        raise LabError(f"{folder}: cannot be read ({error.strerror})") from None
    if not names:
        raise LabError(f"{folder}: is empty; give the folder in which each student has a folder, a .py or a .zip")
    _check_level(folder, names, lab)
    entries: dict[str, list[str]] = {}
    for name in names:
        entries.setdefault(_whose(folder / name), []).append(name)
    taken = [
        replace(read_one(who, [folder / name for name in entries[who]], lab), late=any(map(_late, entries[who])))
        for who in sorted(entries)
    ]
    if len(names) == 1 and taken[0].reason.startswith(WHICH):
        raise LabError(_is_a_class(folder / names[0], taken[0].reason))
    return taken


def _check_level(folder: Path, names: list[str], lab: Lab) -> None:
    """Raises LabError where this is the folder of one student, or holds nothing but the folder of the class."""
    own = f"{lab.stem}.py"
    for name in names:
        if name.casefold() == own or (name == "src" and (folder / name / own).is_file()):
            says = f"holds {own if name != 'src' else f'src/{own}'}, so it looks like the folder of one student"
            raise LabError(f"{folder}: {says}; give the folder in which each student has a folder, a .py or a .zip")
    only = folder / names[0]
    wraps = len(names) == 1 and not _exported(names[0]) and stat.S_ISDIR(only.lstat().st_mode)
    if wraps and os.access(only, os.R_OK) and sum(map(_exported, os.listdir(only))) > 1:
        raise LabError(_is_a_class(only))


def _is_a_class(folder: Path, why: str = "") -> str:
    says = f"{folder.parent}: looks like a class inside one folder"
    return f"{says}{f' ({why})' if why else ''}; did you mean {folder}?"


def _exported(name: str) -> bool:
    """Whether Moodle or Canvas gives such a name."""
    return bool(MOODLE.fullmatch(_text(name)) or CANVAS.fullmatch(_text(name)))


def _late(name: str) -> bool:
    export = CANVAS.fullmatch(_text(name))
    return export is not None and export["late"] is not None and not MOODLE.fullmatch(_text(name))


def _whose(path: Path) -> str:
    """The id of a submission: a student's name, with the number that Moodle or Canvas adds."""
    name = _text(path.name)
    if export := MOODLE.fullmatch(name):
        return export["who"]
    if export := CANVAS.fullmatch(name):
        return export["who"] + export["number"]
    is_file = not stat.S_ISDIR(path.lstat().st_mode)
    return name.rpartition(".")[0] if is_file and name.casefold().endswith((".py", ".zip")) else name


def read_one(who: str, paths: list[Path], lab: Lab) -> Submission:
    """The submission that lies at the paths, several of which are uploads of one student."""
    if len(paths) > 1 and not all(_exported(path.name) for path in paths):
        names = ", ".join(visible(_text(path.name)) for path in paths)
        return Submission(who, reason=f"two students have this name: {names}; keep or rename one")
    left: dict[str, str] = {}
    found = [one for path in paths for one in _look_at(path, lab, left)]
    chosen: dict[str, tuple[_Found, bytes]] = {}
    if not found and not left:
        return Submission(who, reason=f"it holds no file: hand in {lab.stem}.py")
    try:
        for stem in (lab.stem, *lab.builds_on):
            chosen[f"{stem}.py"] = _choose(found, stem, lab)
    except Refused as refused:
        unused = {one.path: "was not used" for one in found}
        return Submission(who, left=_shortened(unused | left), reason=f"{refused}{_of_left(left)}")
    taken, stems = {one.path for one, _ in chosen.values()}, (lab.stem, *lab.builds_on)
    others = {one.path: UNUSED if any(_order(one, stem) for stem in stems) else UNASKED
              for one in found if one.path not in taken}  # fmt: skip
    files = {name: data for name, (_, data) in chosen.items()}
    return Submission(who, files, tuple(sorted(taken)), _shortened(others | left))


def _look_at(top: Path, lab: Lab, left: dict[str, str]) -> Iterator[_Found]:
    """The Python files at `top` and below; `left` is told of all else."""
    export = MOODLE.fullmatch(_text(top.name)) or CANVAS.fullmatch(_text(top.name))
    given = export["name"] if export else f"{lab.stem}.py"  # a file that has the student's name is the lab's
    upload = int(export.groupdict().get("upload", 0)) if export else 0
    waiting = [(top, "", 0)]
    for looked in itertools.count(1):
        if not waiting:
            return
        if looked > ENTRIES:
            left[_text(top.name)] = f"has more than {ENTRIES:,} files"
            return
        path, shown, depth = waiting.pop(0)
        name = _text(path.name)
        try:
            mode = path.lstat().st_mode
            if stat.S_ISDIR(mode):
                inside = sorted(one for one in os.listdir(path) if not _junk(one))[: ENTRIES + 1]
                waiting += [(path / one, f"{shown}/{_text(one)}".lstrip("/"), depth + 1) for one in inside]
            elif not stat.S_ISREG(mode):
                left[shown or name] = "is a link" if stat.S_ISLNK(mode) else "is no ordinary file"
            elif name.casefold().endswith(".py"):
                read = _reader(path)
                yield _Found(shown or name, name if depth else given, max(depth - 1, 0), read, upload)
            elif name.casefold().endswith(".zip"):
                yield from _in_archive(_read(path, ARCHIVE), shown or name, max(depth - 1, 0), upload, left)
            else:
                left[shown or name] = _unasked(name)
        except Refused as refused:
            left[shown or name] = str(refused)
        except OSError as error:
            left[shown or name] = f"cannot be read: {error.strerror}"


def _in_archive(data: bytes, shown: str, depth: int, upload: int, left: dict[str, str]) -> Iterator[_Found]:
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
        path = PurePosixPath(_text(entry.filename.replace("\\", "/")))
        if entry.is_dir() or any(map(_junk, path.parts)):
            continue
        if stat.S_ISLNK(entry.external_attr >> 16):
            left[f"{shown}/{path}"] = "is a link"
        elif path.suffix.casefold() == ".py":
            read = _unzipper(archive, entry)
            yield _Found(f"{shown}/{path}", path.name, depth + len(path.parts) - 1, read, upload)
        else:
            left[f"{shown}/{path}"] = _unasked(path.name)


def _choose(found: list[_Found], stem: str, lab: Lab) -> tuple[_Found, bytes]:
    """The file that is meant, and what it holds: the last upload, the best name, the one that lies highest.

    The only Python file may have any name. Raises Refused if there is none, or more than one, or it cannot be read.
    """
    fits = [(order, one) for one in found if (order := _order(one, stem))]
    if not fits and stem == lab.stem and len(found) == 1 and not any(_order(found[0], one) for one in lab.builds_on):
        fits = [((), found[0])]
    if not fits:
        names = ", ".join(visible(one.path) for one in found[:3]) + (", ..." if found[3:] else "")
        raise Refused(
            f"there is no {stem}.py" + (f", only {names}: rename the right file to {stem}.py" if found else "")
        )
    first = min(order for order, _ in fits)
    best, *others = [one for order, one in fits if order == first]
    data = _content(best)
    for other in others:
        if _content(other) != data:
            raise Refused(f"{WHICH}{stem}.py is meant, {visible(best.path)} or {visible(other.path)}? Keep one")
    if not data.strip():
        raise Refused(f"{visible(best.path)} is empty")
    return best, data


def _content(one: _Found) -> bytes:
    try:
        return one.read()
    except Refused as refused:
        raise Refused(f"{visible(one.path)} {refused}") from None


def _order(one: _Found, stem: str) -> tuple[int, ...]:
    """The lower, the better; () if its name is not that of the lab's file, nor that of a copy."""
    name = re.sub(r"[\s-]+", "_", one.name.rpartition(".")[0].casefold())
    found = re.fullmatch(rf"(?:copy_of_)?{re.escape(stem.casefold())}(?:_?copy)?(?:_?\(?(\d{{1,4}})\)?)?", name)
    if not found:
        return ()
    fit = 0 if one.name == f"{stem}.py" else 1 if name == stem.casefold() else 2
    in_src = one.path.split("/")[-2:-1] == ["src"]  # of a whole course that somebody has handed in
    return -one.upload, fit, -int(found[1] or 0), one.depth, not in_src


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


def _junk(name: str) -> bool:
    return name.startswith(".") or name.casefold() in JUNK


def _text(name: str) -> str:
    """A file's name as text: bytes that are not UTF-8 are written out."""
    return name.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")


def _shortened(left: dict[str, str]) -> tuple[tuple[str, str], ...]:
    more = [("...", f"and {len(left) - SHOWN} more")] if len(left) > SHOWN else []
    return (*sorted(left.items())[:SHOWN], *more)


def _unasked(name: str) -> str:
    return NOTEBOOK if name.casefold().endswith(".ipynb") else UNASKED


def _of_left(left: dict[str, str]) -> str:
    telling = sorted(left.items(), key=lambda item: (item[1] == UNASKED, item))
    return "".join(f"; {visible(name)} {why}" for name, why in telling[:3])
