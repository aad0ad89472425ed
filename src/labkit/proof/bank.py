"""The answers that a proof grades: the bank of mistakes and alternatives, read from the folder of each step."""

import ast
import re
from dataclasses import dataclass
from pathlib import Path

from labkit.course.errors import LabError
from labkit.course.files import shown
from labkit.course.manifest import Lab

KINDS = ("mistake", "alternative")
STEP_FOLDER = re.compile(r"(\d+)_\w+")


@dataclass(frozen=True)
class Answer:
    """One answer to grade: the solution, with `overlay` run on top of it if that is given.

    `kind` is solution, stub, replay, junk, mistake, alternative, mutant, or what an unseen answer claims to be. `step`
    is the one that the answer belongs to, None where it belongs to all. `impl`, `overlay`, `replay` and `record` are
    the suite's options.
    """

    name: str
    kind: str
    says: str = ""
    step: int | None = None
    impl: str = "solutions"
    overlay: Path | None = None
    replay: Path | None = None
    record: Path | None = None

    def options(self) -> dict[str, str | None]:
        """The suite's options for this answer."""
        values = {"overlay": self.overlay, "replay": self.replay, "record": self.record}
        return {"impl": self.impl} | {name: str(path) if path else None for name, path in values.items()}


def read_bank(lab: Lab) -> list[Answer]:
    """Every mistake and alternative of a lab, by kind, step and name.

    Raises:
        LabError: a file that is in no step's folder, has no docstring or is no Python; a name that is there twice.
    """
    folders = {"mistake": lab.paths.mistakes, "alternative": lab.paths.alternatives}
    return [answer for kind in KINDS for answer in _read(folders[kind], kind, lab)]


def docstring(path: Path) -> str:
    """The docstring of a Python file in one line, "" if it has none.

    Raises:
        LabError: the file cannot be read, or is no Python.
    """
    try:
        tree = ast.parse(path.read_bytes())
    except (OSError, ValueError, SyntaxError) as error:
        where = f", line {error.lineno}" if isinstance(error, SyntaxError) and error.lineno else ""
        raise LabError(f"{path}{where}: cannot be read as Python ({_reason(error)})") from None
    return " ".join((ast.get_docstring(tree) or "").split())


def _read(folder: Path, kind: str, lab: Lab) -> list[Answer]:
    answers: list[Answer] = []
    paths: dict[str, Path] = {}
    for path in sorted(folder.rglob("*.py"), key=lambda path: (_step(path, folder, lab), path.stem)):
        if path.stem in paths:
            raise LabError(f"{path}: {shown(paths[path.stem], lab.paths.root)} has the same name; rename one")
        if not (says := docstring(path)):
            raise LabError(f"{path}: needs a docstring: what is wrong, or different, in one sentence")
        paths[path.stem] = path
        answers.append(Answer(path.stem, kind, says, _step(path, folder, lab), overlay=path))
    return answers


def _step(path: Path, bank: Path, lab: Lab) -> int:
    """The leading number of the folder that `path` is in."""
    found = STEP_FOLDER.fullmatch(path.parent.name)
    if path.parent.parent != bank or not found:
        raise LabError(f"{path}: belongs in the folder of a step, such as {bank.name}/1_{lab.stem}/{path.name}")
    if int(found[1]) not in [step.number for step in lab.steps]:
        raise LabError(f"{path.parent}: the lab has no step {found[1]}; its steps are 1 to {len(lab.steps)}")
    return int(found[1])


def _reason(error: Exception) -> str:
    return getattr(error, "strerror", None) or getattr(error, "msg", None) or str(error)
