"""Takes submissions in: a folder with a folder, a `.py` or a `.zip` for each student, as Moodle and Canvas export them.

Of every submission the lab's own files are read, whole and bounded, and all else is left where it is. A submission
without them is kept, with the reason.
"""

import hashlib
import os
import re
import stat
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

from labkit.course.errors import LabError
from labkit.course.manifest import Lab
from labkit.course.screen import visible
from labkit.grade.reading import UNASKED, Found, Refused, is_junk, look_at, text_of

UNUSED = "was not used: another version was graded"
WHICH = "which "  # begins the reason where two files may be meant
SHOWN, LONGEST = 30, 100  # of what was left, by name; and characters of a name
SAME = 10  # files that may have the same claim, and are compared

MOODLE = re.compile(r"(?P<who>.+_\d+)_assignsubmission_[a-z]+_?(?P<name>.*)", re.DOTALL)
CANVAS = re.compile(
    r"(?P<who>[^_]+)(?P<late>_late)?(?P<number>_\d+)_(?P<upload>\d+)_(?P<name>.+)", re.DOTALL | re.IGNORECASE
)


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


def read_folder(folder: Path, lab: Lab) -> list[Submission]:
    """Every submission in the folder, by name.

    Raises:
        LabError: there is no such folder, it holds nothing, or it is above or below the one that is meant.
    """
    if not folder.is_dir():
        raise LabError(f"{folder}: is no folder; give the one in which each student has a folder, a .py or a .zip")
    try:
        names = sorted(name for name in os.listdir(folder) if not is_junk(name))
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
    return bool(MOODLE.fullmatch(text_of(name)) or CANVAS.fullmatch(text_of(name)))


def _late(name: str) -> bool:
    export = CANVAS.fullmatch(text_of(name))
    return export is not None and export["late"] is not None and not MOODLE.fullmatch(text_of(name))


def _whose(path: Path) -> str:
    """The id of a submission: a student's name, with the number that Moodle or Canvas adds."""
    name = text_of(path.name)
    if export := MOODLE.fullmatch(name):
        return export["who"]
    if export := CANVAS.fullmatch(name):
        return export["who"] + export["number"]
    is_file = not stat.S_ISDIR(path.lstat().st_mode)
    return name.rpartition(".")[0] if is_file and name.casefold().endswith((".py", ".zip")) else name


def read_one(who: str, paths: list[Path], lab: Lab) -> Submission:
    """The submission that lies at the paths, several of which are uploads of one student."""
    if len(paths) > 1 and not all(_exported(path.name) for path in paths):
        names = ", ".join(visible(text_of(path.name)) for path in paths)
        return Submission(who, reason=f"two students have this name: {names}; keep or rename one")
    left: dict[str, str] = {}
    found = [one for path in paths for one in _found_at(path, lab, left)]
    chosen: dict[str, tuple[Found, bytes]] = {}
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
    return Submission(who, files, tuple(map(_named, sorted(taken))), _shortened(others | left))


def _found_at(top: Path, lab: Lab, left: dict[str, str]) -> Iterator[Found]:
    export = MOODLE.fullmatch(text_of(top.name)) or CANVAS.fullmatch(text_of(top.name))
    given = export["name"] if export else f"{lab.stem}.py"  # a file that has the student's name is the lab's
    return look_at(top, given, int(export.groupdict().get("upload", 0)) if export else 0, left)


def _choose(found: list[Found], stem: str, lab: Lab) -> tuple[Found, bytes]:
    """The file that is meant, and what it holds: the last upload, the best name, the one that lies highest.

    The only Python file may have any name. Raises Refused if there is none, or more than one, or it cannot be read.
    """
    fits = [(order, one) for one in found if (order := _order(one, stem))]
    if not fits and stem == lab.stem and len(found) == 1 and not any(_order(found[0], one) for one in lab.builds_on):
        fits = [((), found[0])]
    if not fits:
        names = ", ".join(_named(one.path) for one in found[:3]) + (", ..." if found[3:] else "")
        raise Refused(
            f"there is no {stem}.py" + (f", only {names}: rename the right file to {stem}.py" if found else "")
        )
    first = min(order for order, _ in fits)
    best, *others = [one for order, one in fits if order == first]
    data = _content(best)
    if len(others) > SAME:
        raise Refused(f"{WHICH}{stem}.py is meant? There are {len(others) + 1} of them. Keep one")
    for other in others:
        if _content(other) != data:
            raise Refused(f"{WHICH}{stem}.py is meant, {_named(best.path)} or {_named(other.path)}? Keep one")
    if not data.strip():
        raise Refused(f"{_named(best.path)} is empty")
    return best, data


def _content(one: Found) -> bytes:
    try:
        return one.read()
    except Refused as refused:
        raise Refused(f"{_named(one.path)} {refused}") from None


def _order(one: Found, stem: str) -> tuple[int, ...]:
    """The lower, the better; () if its name is not that of the lab's file, nor that of a copy."""
    name = re.sub(r"[\s-]+", "_", one.name.rpartition(".")[0].casefold())
    found = re.fullmatch(rf"(?:copy_of_)?{re.escape(stem.casefold())}(?:_?copy)?(?:_?\(?(\d{{1,4}})\)?)?", name)
    if not found:
        return ()
    fit = 0 if one.name == f"{stem}.py" else 1 if name == stem.casefold() else 2
    in_src = one.path.split("/")[-2:-1] == ["src"]  # of a whole course that somebody has handed in
    return -one.upload, fit, -int(found[1] or 0), one.depth, not in_src


def _shortened(left: dict[str, str]) -> tuple[tuple[str, str], ...]:
    more = [("...", f"and {len(left) - SHOWN} more")] if len(left) > SHOWN else []
    return (*((_named(path), why) for path, why in sorted(left.items())[:SHOWN]), *more)


def _named(path: str) -> str:
    """The path as it is shown, in one line; of a long one the beginning and the end."""
    path = visible(path)
    half = LONGEST // 2 - 2
    return path if len(path) <= LONGEST else f"{path[:half]}...{path[-half:]}"


def _of_left(left: dict[str, str]) -> str:
    telling = sorted(left.items(), key=lambda item: (item[1] == UNASKED, item))
    return "".join(f"; {_named(name)} {why}" for name, why in telling[:3])
