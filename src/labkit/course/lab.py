"""What a lab is: the classes that a manifest fills in.

msgspec compares each `lab.toml` with them: their types, ranges and defaults are the format.
"""

import ast
import functools
import importlib.metadata
from collections.abc import Collection
from pathlib import Path
from typing import Annotated, Literal

from msgspec import Meta, Struct

from labkit.course.paths import Paths

HINTS = 3  # rungs of every step: a question, the idea, nearly the code
SECONDS, SECONDS_ON_RANKS = 30.0, 20.0  # limits of a test where the manifest gives none
BETWEEN_RANKS = 10.0  # seconds that a test with ranks has beyond those of one run on them

Text = Annotated[str, Meta(pattern=r"\S")]
Count = Annotated[int, Meta(ge=1, le=9999)]
Limit = Annotated[float, Meta(gt=0, le=3600)]
Ranks = Annotated[int, Meta(ge=1, le=16)]


class Behaviour(Struct, frozen=True, forbid_unknown_fields=True):
    """One thing that the lab asks for. `id` is the name of its graded test, `seconds` a limit of its own, `ranks` a
    number of processes of its own, in a step that has ranks.

    `hidden`: the test is an instructor's own, of which nothing is shown but its name.
    """

    id: Annotated[str, Meta(pattern=r"^test_\w+$")]
    step: Count
    points: Count
    why: Text
    read: Text
    seconds: Limit | None = None
    ranks: Ranks | None = None
    hidden: bool = False


class Step(Struct, frozen=True, forbid_unknown_fields=True):
    """Some functions of the lab file that are written together. `todo` maps each function to its TODO line.

    Its tests run on `ranks` processes at once. A "joined" group has been formed when the lab's code runs; in a "bare"
    one the lab's code forms it. `needs` are the packages that this step needs besides the lab's.
    `builds_on_steps` are those whose functions its own, or its tests, call; without the key it may be all before it.
    """

    number: Count
    title: Text
    minutes: Count
    read: Text
    todo: Annotated[dict[str, Text], Meta(min_length=1)]
    hints: Annotated[tuple[Text, ...], Meta(min_length=HINTS, max_length=HINTS)]
    ranks: Ranks = 1
    group: Literal["joined", "bare"] = "joined"
    seconds: Limit | None = None
    needs: tuple[Text, ...] = ()
    builds_on_steps: tuple[Count, ...] | None = None


class Lab(Struct, frozen=True, forbid_unknown_fields=True):
    """A lab as its manifest describes it. `stem` names its file in every directory of the repository.

    `needs` are names of packages as pip knows them; `builds_on` the stems of labs whose files this one may import;
    `data` files and folders below the lab's own; `first`: the course begins with this lab, whatever its number.
    """

    number: Annotated[int, Meta(ge=0, le=99)]
    title: Text
    stem: Text
    reading: Text
    goal: Text
    folder: Path  # of the manifest, which does not name it
    steps: Annotated[tuple[Step, ...], Meta(min_length=1)]
    behaviours: Annotated[tuple[Behaviour, ...], Meta(min_length=1)]
    needs: tuple[Text, ...] = ()
    builds_on: tuple[Text, ...] = ()
    data: tuple[Text, ...] = ()
    first: bool = False

    @property
    def paths(self) -> Paths:
        root = self.folder.parents[1]
        return Paths(root, self.folder, self.stem, root / self.reading, tuple(self.folder / name for name in self.data))

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

    def cause_before(self, number: int, wrong: Collection[int]) -> int | None:
        """The first of the steps in `wrong` that step `number` builds on: what fails in it may follow from there."""
        below = self.step(number).builds_on_steps
        return min((one for one in wrong if (one < number if below is None else one in below)), default=None)

    def stub_messages(self) -> dict[str, int]:
        """What each stub raises, "Step 2: scaled_backward", and its step's number."""
        return {f"Step {step.number}: {function}": step.number for step in self.steps for function in step.todo}

    def missing(self, step: int) -> tuple[str, ...]:
        """The packages that this step, or the whole lab, needs and that are not installed."""
        return tuple(name for name in dict.fromkeys(self.needs + self.step(step).needs) if not _installed(name))

    def ranks_for(self, behaviour: Behaviour) -> int:
        """How many processes the behaviour's test may run on at once."""
        return behaviour.ranks or self.step(behaviour.step).ranks

    def own_seconds(self, behaviour: Behaviour) -> float | None:
        """The limit that the manifest sets for the behaviour's test, if it does."""
        return behaviour.seconds or self.step(behaviour.step).seconds

    def seconds_for(self, behaviour: Behaviour) -> float:
        """How long the behaviour's test may take; with ranks, one run on them."""
        usual = SECONDS_ON_RANKS if self.step(behaviour.step).ranks > 1 else SECONDS
        return self.own_seconds(behaviour) or usual

    def limit_of(self, behaviour: Behaviour) -> float:
        """Seconds for the behaviour's test as a whole."""
        return self.seconds_for(behaviour) + (BETWEEN_RANKS if self.step(behaviour.step).ranks > 1 else 0.0)

    def asks(self, behaviour: Behaviour) -> str:
        """What the behaviour's test asks of the code: its docstring, or its name in words where it has none."""
        said = [_docstrings(path).get(behaviour.id, "") for path in self.paths.graded_by()]
        return next(filter(None, said), f"{behaviour.id.removeprefix('test_').replace('_', ' ')}.")


@functools.cache
def _docstrings(path: Path) -> dict[str, str]:
    """The docstrings of the functions in a file, each in one line."""
    functions = [one for one in ast.parse(path.read_bytes()).body if isinstance(one, ast.FunctionDef)]
    return {one.name: " ".join((ast.get_docstring(one) or "").split()) for one in functions}


@functools.cache
def _installed(name: str) -> bool:
    try:
        importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return False
    return True
