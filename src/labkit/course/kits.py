"""A lab's own code, the package `labkit.labs.<stem>`: everything else in labkit reaches it through this file.

All of it is optional. A kit may have `commands` (the command line of the lab file, and its demo), `report` (its parts
of the report), a package `experiments`, and `causes.toml`.
"""

import importlib
from pathlib import Path
from types import ModuleType

from labkit.course.errors import LabError
from labkit.course.garbage import none_collected
from labkit.course.manifest import Lab


def kit(lab: Lab, part: str) -> ModuleType | None:
    """The module `part` of the lab's own code, for example "report" or "experiments.speed"; None if it has none.

    Raises:
        LabError: importing it raised; names the file and the error.
    """
    if not has(lab, part):
        return None
    try:
        with none_collected():  # most import torch
            return importlib.import_module(f"labkit.labs.{lab.stem}.{part}")
    except Exception as error:  # one lab's broken kit must not stop the others
        what = f"{type(error).__name__}: {error}"
        raise LabError(f"{_path(lab, part).with_suffix('.py')}: {lab.name}'s own code fails: {what}") from error


def has(lab: Lab, part: str) -> bool:
    """Whether the lab's own code has such a module; it need not be right."""
    path = _path(lab, part)
    return path.with_suffix(".py").is_file() or (path / "__init__.py").is_file()


def _path(lab: Lab, part: str) -> Path:
    return lab.paths.kit.joinpath(*part.split("."))
