"""A lab's own code, the package `labkit.labs.<stem>`: everything else in labkit reaches it through this file.

All of it is optional. A kit may have `commands` (the command line of the lab file, and its demo), `report` (its parts
of the report), a package `experiments`, and `causes.toml`.
"""

import importlib
from types import ModuleType

from labkit.course.errors import LabError
from labkit.course.manifest import Lab


def kit(lab: Lab, part: str) -> ModuleType | None:
    """The module `part` of the lab's own code, for example "report" or "experiments.speed"; None if it has none.

    Raises:
        LabError: importing it raised; names the file and the error.
    """
    path = lab.paths.kit.joinpath(*part.split("."))
    if not (path.with_suffix(".py").is_file() or (path / "__init__.py").is_file()):
        return None
    try:
        return importlib.import_module(f"labkit.labs.{lab.stem}.{part}")
    except Exception as error:  # one lab's broken kit must not stop the others
        what = f"{type(error).__name__}: {error}"
        raise LabError(f"{path.with_suffix('.py')}: {lab.name}'s own code fails: {what}") from error
