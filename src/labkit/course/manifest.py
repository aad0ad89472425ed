"""Reads `labs/*/lab.toml`, the one place where a lab's steps, points, hints and reading stand."""

import tomllib
from dataclasses import dataclass
from pathlib import Path

from labkit.course.errors import LabError

ROOT = Path(__file__).resolve().parents[3]
HINTS = 3  # rungs of every step: a question, the idea, nearly the code


@dataclass(frozen=True)
class Behaviour:
    """One thing that the lab asks for, and the graded test of the same name."""

    id: str
    step: int
    points: int
    why: str
    read: str


@dataclass(frozen=True)
class Step:
    """Some functions of the lab file that are written together. `todo` maps each function to its TODO line.

    `ranks` is how many processes its tests run on at once.
    """

    number: int
    title: str
    minutes: int
    read: str
    todo: dict[str, str]
    hints: tuple[str, ...]
    ranks: int = 1


@dataclass(frozen=True)
class Paths:
    """Where the files of a lab are: the only place where its stem becomes a path.

    `suite`, `scenarios` and `references` are a file each, or are split by step in the folder of the same name: the
    path that students run, `suite`, then imports the steps' tests from `suites`.
    """

    root: Path
    folder: Path  # of the manifest
    stem: str
    reading: Path

    @property
    def manifest(self) -> Path:
        return self.folder / "lab.toml"

    @property
    def handout(self) -> Path:
        return self.folder / "README.md"

    @property
    def skeleton(self) -> Path:
        return self.folder / "skeleton.py"

    @property
    def misconceptions(self) -> Path:
        return self.folder / "misconceptions.json"

    @property
    def misconceptions_page(self) -> Path:
        return self.folder / "misconceptions.md"

    @property
    def student(self) -> Path:
        """The one file that a student edits."""
        return self.root / "src" / f"{self.stem}.py"

    @property
    def solution(self) -> Path:
        return self.root / "solutions" / f"{self.stem}.py"

    @property
    def suite(self) -> Path:
        return self.root / "tests" / f"test_{self.stem}.py"

    @property
    def suites(self) -> Path:
        return self.root / "tests" / "suites" / self.stem

    @property
    def scenarios(self) -> Path:
        return self._file_or_folder("scenarios")

    @property
    def references(self) -> Path:
        return self._file_or_folder("references")

    @property
    def mistakes(self) -> Path:
        return self.root / "tests" / "mistakes" / self.stem

    @property
    def alternatives(self) -> Path:
        return self.root / "tests" / "alternatives" / self.stem

    def graded_by(self) -> list[Path]:
        """Every Python file of the suite: its tests, scenarios and references."""
        folders = (self.suites, self.scenarios, self.references)
        files = [path for folder in folders for path in ([folder] if folder.suffix else folder.rglob("*.py"))]
        return sorted(path for path in (self.suite, *files) if path.is_file())

    def _file_or_folder(self, kind: str) -> Path:
        folder = self.root / "tests" / kind / self.stem
        return folder if folder.is_dir() else folder.with_suffix(".py")


@dataclass(frozen=True)
class Lab:
    """A lab as its manifest describes it. `stem` names its file in every directory of the repository."""

    number: int
    title: str
    stem: str
    reading: str
    goal: str
    folder: Path
    steps: tuple[Step, ...]
    behaviours: tuple[Behaviour, ...]

    @property
    def paths(self) -> Paths:
        root = self.folder.parents[1]
        return Paths(root, self.folder, self.stem, root / self.reading)

    @property
    def name(self) -> str:
        return f"lab{self.number:02d}"

    @property
    def minutes(self) -> int:
        return sum(step.minutes for step in self.steps)

    @property
    def points(self) -> int:
        return sum(behaviour.points for behaviour in self.behaviours)

    def step(self, number: int) -> Step:
        return next(step for step in self.steps if step.number == number)

    def stub_messages(self) -> dict[str, int]:
        """What each stub raises, "Step 2: scaled_backward", and its step's number."""
        return {f"Step {step.number}: {function}": step.number for step in self.steps for function in step.todo}


def load(path: Path) -> Lab:
    """The lab that the manifest at `path` describes.

    Raises:
        LabError: names the file and the key that is missing, unknown, of the wrong type or contradicts another.
    """
    table = _Table(path, _parse(path), "")
    steps = tuple(_step(part) for part in table.tables("steps"))
    behaviours = tuple(_behaviour(part) for part in table.tables("behaviours"))
    lab = Lab(
        number=table.take("number", int),
        title=table.take("title", str),
        stem=table.take("stem", str),
        reading=table.take("reading", str),
        goal=table.take("goal", str),
        folder=path.parent,
        steps=steps,
        behaviours=behaviours,
    )
    table.close()
    _check(path, lab)
    return lab


def load_all(root: Path = ROOT) -> list[Lab]:
    """Every lab below `root`, by number."""
    return sorted((load(path) for path in root.glob("labs/*/lab.toml")), key=lambda lab: lab.number)


def find(name: str, root: Path = ROOT) -> Lab:
    """The lab called `name`: "lab04", "04", "4" or its stem.

    Raises:
        LabError: there is none.
    """
    labs = load_all(root)
    for lab in labs:
        if name in (lab.name, lab.stem, f"{lab.number:02d}", str(lab.number)):
            return lab
    raise LabError(f"there is no lab {name!r}; there is {', '.join(lab.name for lab in labs) or 'none'}")


class _Table:
    """One table of the manifest; every key is taken once, and what is left over is an error."""

    def __init__(self, path: Path, data: dict, name: str) -> None:
        self.path, self.data, self.name = path, dict(data), name

    def error(self, key: str, what: str) -> LabError:
        return LabError(f"{self.path}: {self.name}{key} {what}")

    def take(self, key: str, kind: type) -> object:
        if key not in self.data:
            raise self.error(key, "is missing")
        value = self.data.pop(key)
        if type(value) is not kind:
            raise self.error(key, f"must be {kind.__name__}, not {type(value).__name__}")
        if value in ("", [], {}) or (kind is int and value < 0):
            raise self.error(key, f"must not be {value!r}")
        return value

    def tables(self, key: str) -> list["_Table"]:
        parts = []
        for index, part in enumerate(self.take(key, list), start=1):
            if type(part) is not dict:
                raise self.error(key, "must be a list of tables")
            parts.append(_Table(self.path, part, f"{self.name}{key}[{index}]."))
        return parts

    def strings(self, key: str, values: object) -> list[str]:
        if not all(type(value) is str and value for value in values):
            raise self.error(key, "must hold strings that are not empty")
        return list(values)

    def close(self) -> None:
        for key in self.data:
            raise self.error(key, "is unknown: remove it, or look for a typing error")


def _parse(path: Path) -> dict:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise LabError(f"{path}: cannot be read ({error.strerror})") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise LabError(f"{path}: is not valid TOML: {error}") from None


def _step(table: _Table) -> Step:
    todo = table.take("todo", dict)
    table.strings("todo", todo.values())
    step = Step(
        number=table.take("number", int),
        title=table.take("title", str),
        minutes=table.take("minutes", int),
        read=table.take("read", str),
        todo=todo,
        hints=tuple(table.strings("hints", table.take("hints", list))),
        ranks=table.take("ranks", int) if "ranks" in table.data else 1,
    )
    if len(step.hints) != HINTS:
        raise table.error("hints", f"must have {HINTS} rungs, not {len(step.hints)}")
    table.close()
    return step


def _behaviour(table: _Table) -> Behaviour:
    behaviour = Behaviour(
        id=table.take("id", str),
        step=table.take("step", int),
        points=table.take("points", int),
        why=table.take("why", str),
        read=table.take("read", str),
    )
    table.close()
    return behaviour


def _check(path: Path, lab: Lab) -> None:
    """The manifest agrees with itself and with the name of its folder."""
    numbers = [step.number for step in lab.steps]
    if numbers != list(range(1, len(numbers) + 1)):
        raise LabError(f"{path}: steps must be numbered 1 to {len(numbers)} in order, not {numbers}")
    if path.parent.name != f"{lab.name}_{lab.stem}":
        raise LabError(f"{path}: number and stem ask for a folder {lab.name}_{lab.stem}")
    seen = set()
    for behaviour in lab.behaviours:
        if behaviour.id in seen:
            raise LabError(f"{path}: behaviours: {behaviour.id} stands twice")
        if behaviour.step not in numbers:
            raise LabError(f"{path}: behaviours: {behaviour.id} names step {behaviour.step}, which there is not")
        seen.add(behaviour.id)
    for number in numbers:
        if not sum(behaviour.points for behaviour in lab.behaviours if behaviour.step == number):
            raise LabError(f"{path}: behaviours: step {number} has none that is worth a point")
