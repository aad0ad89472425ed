"""Mechanical mutants of a solution: one small change each. A suite that lets one live has a gap, or it is equivalent.

Survivors that behave as the solution does are explained in `equivalent_mutants.toml`, beside the mistakes.
"""

import tomllib
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import astuple, dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import libcst as cst
from libcst.metadata import MetadataWrapper, ParentNodeProvider, PositionProvider

from labkit.course.errors import LabError
from labkit.course.manifest import Lab
from labkit.proof.bank import Answer
from labkit.proof.changes import Change, changes
from labkit.proof.grading import Graded, Job, grade
from labkit.proof.prove import Choice

LIST = "equivalent_mutants.toml"


@dataclass(frozen=True, order=True)
class Mutant:
    """One change of the solution, named by what does not move when other lines do."""

    function: str
    change: str
    line: str
    becomes: str

    def __str__(self) -> str:
        return f"{self.function}: {self.change}: `{self.line}` becomes `{self.becomes}`"

    def entry(self) -> str:
        """What explains it in the list of equivalent mutants, but for the reason."""
        values = zip(("function", "change", "line", "becomes"), astuple(self), strict=True)
        return f'  {{ {", ".join(f"{key} = {_toml(value)}" for key, value in values)}, because = "" }},'


def mutants(source: str) -> Iterator[tuple[Mutant, str]]:
    """Every mutant of a lab file, with its source: single changes inside functions, none that Python refuses.

    What an exception says is never graded, so nothing inside a `raise` is changed.
    """
    wrapper = MetadataWrapper(cst.parse_module(source))
    positions, parents = wrapper.resolve(PositionProvider), wrapper.resolve(ParentNodeProvider)
    lines = source.splitlines()
    for node in parents:
        function = _function(node, parents)
        for change in changes(node, parents) if function and not _raised(node, parents) else ():
            code = _changed(wrapper.module, node, change)
            if code == source or not _compiles(code):
                continue
            line = lines[positions[node].start.line - 1]
            becomes = _first_difference(lines, code.splitlines())
            yield Mutant(function, change[0], line.strip(), becomes), code


def explanations(lab: Lab) -> dict[Mutant, str]:
    """The equivalent mutants of a lab, each with its reason.

    Raises:
        LabError: the list is no TOML, or an entry lacks a key or its reason.
    """
    path = lab.paths.mistakes / LIST
    if not path.exists():
        return {}
    try:
        entries = tomllib.loads(path.read_text(encoding="utf-8")).get("mutants", [])
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise LabError(f"{path}: is not valid TOML: {error}") from None
    if not isinstance(entries, list) or not all(isinstance(entry, dict) for entry in entries):
        raise LabError(f"{path}: must be `mutants = [ ... ]`, a table on a line for each")
    keys = {"function", "change", "line", "becomes", "because"}
    found = {}
    for number, entry in enumerate(entries, start=1):
        if set(entry) != keys or not all(isinstance(value, str) for value in entry.values()):
            raise LabError(f"{path}: mutants[{number}] must have the strings {', '.join(sorted(keys))}, no others")
        if not entry["because"].strip():
            raise LabError(f"{path}: mutants[{number}]: because must say why the mutant behaves as the solution does")
        found[Mutant(*(entry[key] for key in ("function", "change", "line", "becomes")))] = entry["because"]
    return found


def grade_mutants(lab: Lab, progress: Callable[[Graded], None] = lambda graded: None) -> dict[Mutant, bool]:
    """Whether the suite catches each mutant; identical changes of one function count as one, and all must be caught."""
    every = tuple(behaviour.id for behaviour in lab.behaviours)
    made = list(mutants(lab.paths.solution.read_text(encoding="utf-8")))
    with TemporaryDirectory(prefix="labkit-mutants-") as folder:
        choice = Choice(lab, grade(lab, [Job(Answer("solution", "solution"), 0, every)])[0])
        jobs = []
        for number, (mutant, code) in enumerate(made):
            path = Path(folder, f"{number}.py")
            path.write_text(code, encoding="utf-8")
            tests = choice.by_cost(_step(lab, mutant.function))
            jobs.append(Job(Answer(str(mutant), "mutant", overlay=path), 0, tests, until_lost=True))
        results = grade(lab, jobs, progress)
    caught: dict[Mutant, bool] = {}
    for (mutant, _), graded in zip(made, results, strict=True):
        caught[mutant] = caught.get(mutant, True) and bool(graded.lost or graded.error)
    return caught


def problems(caught: dict[Mutant, bool], explained: Collection[Mutant]) -> list[str]:
    """Survivors that nobody has explained, and explanations of mutants that are caught or gone; a line each."""
    found = [
        f"mutant survives: {mutant}" for mutant, is_caught in caught.items() if not is_caught | (mutant in explained)
    ]
    for mutant in explained:
        if caught.get(mutant, True):
            state = "caught" if mutant in caught else "gone"
            found.append(f"{LIST}: this mutant is {state}, remove its entry: {mutant}")
    return found


def _changed(module: cst.Module, node: cst.CSTNode, change: Change) -> str:
    """The source of `module` after a change of `node`."""
    new = change[1]
    whole = module.deep_remove(node) if isinstance(new, cst.RemovalSentinel) else module.deep_replace(node, new)
    assert isinstance(whole, cst.Module), "what changes is inside a function"
    return whole.code


def _function(node: cst.CSTNode, parents: Mapping[cst.CSTNode, cst.CSTNode]) -> str:
    """The qualified name of the function of module level, or of a class, that `node` is in; "" outside."""
    names = []
    inside = False
    around = parents.get(node)
    while around is not None:
        if isinstance(around, cst.FunctionDef | cst.ClassDef):
            names.append(around.name.value)
            inside |= isinstance(around, cst.FunctionDef)
        around = parents.get(around)
    return ".".join(reversed(names)) if inside else ""


def _raised(node: cst.CSTNode, parents: Mapping[cst.CSTNode, cst.CSTNode]) -> bool:
    """Whether `node` is a part of what a `raise` raises."""
    around = parents.get(node)
    while around is not None and not isinstance(around, cst.BaseStatement):
        if isinstance(around, cst.Raise):
            return True
        around = parents.get(around)
    return False


def _first_difference(before: list[str], after: list[str]) -> str:
    """The first line that is not as it was; "" if a line of its own is gone."""
    pairs = zip(before, after, strict=False)
    place = next((number for number, (was, now) in enumerate(pairs) if was != now), len(after))
    now, next_before = ("".join(lines).strip() for lines in (after[place : place + 1], before[place + 1 : place + 2]))
    return "" if len(after) < len(before) and now == next_before else now


def _step(lab: Lab, function: str) -> int | None:
    """The step that writes the function, or its class; None for a helper that several may share."""
    for step in lab.steps:
        if function in step.todo:
            return step.number
    owners = {
        step.number for step in lab.steps for todo in step.todo if todo.partition(".")[0] == function.partition(".")[0]
    }
    return min(owners, default=None)


def _compiles(code: str) -> bool:
    try:
        compile(code, "mutant", "exec")
    except SyntaxError:
        return False
    return True


def _toml(text: str) -> str:
    """A TOML string; literal where it can be."""
    if "'" not in text:
        return f"'{text}'"
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'
