"""Reads `labs/*/lab.toml`, the one place that has a lab's steps, points, hints and reading."""

import functools
import tomllib
from pathlib import Path

from msgspec import ValidationError, convert

from labkit.course import complaints, consistency
from labkit.course.errors import LabError
from labkit.course.lab import HINTS, Behaviour, Lab, Step
from labkit.course.paths import ROOT, Paths

__all__ = ["HINTS", "ROOT", "Behaviour", "Lab", "Paths", "Step", "find", "load", "load_all", "manifests"]


def load(path: Path) -> Lab:
    """The lab that the manifest at `path` describes.

    Raises:
        LabError: one line with the file, the key and what to do about it.
    """
    data = _parse(path)
    try:
        if "folder" in data:
            raise ValidationError("Object contains unknown field `folder`")
        lab = convert(data | {"folder": path.parent}, Lab)
    except ValidationError as error:
        raise LabError(f"{path}: {complaints.complaint(str(error), data)}") from None
    for what in consistency.problems(lab):
        raise LabError(f"{path}: {what}")
    return lab


def load_all(root: Path = ROOT) -> list[Lab]:
    """Every lab below `root`, by number.

    Raises:
        LabError: a manifest is wrong, or two of them contradict each other.
    """
    labs = sorted((load(path) for path in manifests(root)), key=lambda lab: lab.number)
    for what in consistency.problems_between(labs):
        raise LabError(what)
    return labs


def find(name: str, root: Path = ROOT) -> Lab:
    """The lab called `name`: "lab04", "04", "4" or its stem. The manifests of other labs may be wrong.

    Raises:
        LabError: there is none, its manifest is wrong, or another lab has its number or stem.
    """
    labs, wrong = [], []
    for path in manifests(root):
        try:
            labs.append(load(path))
        except LabError as error:
            wrong.append((path, error))
    found = [lab for lab in labs if name in (lab.name, lab.stem, f"{lab.number:02d}", str(lab.number))]
    if found:
        for what in consistency.problems_between(labs, of=found[0]):
            raise LabError(what)
        return found[0]
    for path, fault in wrong:
        number, _, stem = path.parent.name.partition("_")
        if name in (number, stem, number.removeprefix("lab"), number.removeprefix("lab").lstrip("0")):
            raise fault
    names = sorted({lab.name for lab in labs} | {path.parent.name.partition("_")[0] for path, _ in wrong})
    raise LabError(f"there is no lab {name!r}; {_listed(names)}")


def _listed(names: list[str]) -> str:
    if not names:
        return "this course has none"
    *first, last = names
    return f"the labs are {', '.join(first)} and {last}" if first else f"the only lab is {last}"


@functools.lru_cache(maxsize=64)
def _parsed(text: str) -> dict[str, object]:
    """Nobody may change it. A proof grades a thousand answers, and asks for the lab each time."""
    return tomllib.loads(text)


def manifests(root: Path) -> list[Path]:
    """Where the manifests of all labs below `root` are; none is read."""
    return sorted(root.glob("labs/*/lab.toml"))


def _parse(path: Path) -> dict[str, object]:
    try:
        return _parsed(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise LabError(f"{path}: cannot be read ({error.strerror}); make the file, or its permissions, right") from None
    except tomllib.TOMLDecodeError as error:
        raise LabError(f"{path}: is not valid TOML: {error}; correct it there") from None
    except UnicodeDecodeError:
        raise LabError(f"{path}: is not UTF-8: save it as UTF-8") from None
