"""Whether a manifest agrees with itself, with the other labs' and with the files around it: a line for each fault."""

import keyword
import re
import sys
from collections.abc import Iterator
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

from labkit.course.complaints import EXAMPLES
from labkit.course.files import shown
from labkit.course.lab import Lab

COLUMNS = 120  # of a line in a skeleton
# A file of such a name would be imported in the place of the module, or hide a directory of tests/.
MODULES = sys.stdlib_module_names | {
    *("accelerate", "click", "conftest", "hypothesis", "jinja2", "labkit", "libcst", "lightning", "markdown_it"),
    *("matplotlib", "msgspec", "mypy", "numpy", "pip", "pluggy", "pytest", "_pytest", "pytest_timeout", "rich", "ruff"),
    *("setuptools", "sympy", "torch", "torchvision", "transformers", "triton", "xdist"),
    *("alternatives", "bench", "course", "labs", "mistakes", "references", "scenarios", "solutions", "suites", "tests"),
}


def stem_problem(stem: str) -> str:
    """Why no lab may have this stem; "" if one may."""
    if not re.fullmatch(r"[a-z][a-z0-9_]*", stem) or keyword.iskeyword(stem):
        return f"stem {stem!r} is no name for a module: use small letters, digits and _, for example mixed_precision"
    if stem in MODULES or stem.startswith("test_"):
        return f"stem {stem!r} would shadow the module of that name: choose another, for example {stem}_lab"
    return ""


def problems(lab: Lab) -> Iterator[str]:
    """What in the manifest contradicts itself, or the name of its folder; each names the key."""
    if problem := stem_problem(lab.stem):
        yield problem
    if lab.stem in {name.lower().replace("-", "_") for step in lab.steps for name in lab.needs + step.needs}:
        yield f"stem {lab.stem!r} would shadow the package of that name in needs: choose another, {lab.stem}_lab"
    if lab.folder.name != f"{lab.name}_{lab.stem}":
        yield f"number and stem ask for a folder {lab.name}_{lab.stem}: rename {lab.folder.name}, or correct them"
    for key, names in (("reading", (lab.reading,)), ("data", lab.data)):
        for name in names:
            if Path(name).is_absolute() or ".." in Path(name).parts:
                below = "the repository" if key == "reading" else "the lab's folder"
                yield f"{key}: {name!r} must be a path below {below}: for example {key} = {EXAMPLES[key]}"
    if lab.stem in lab.builds_on:
        yield f"builds_on names the lab itself: remove {lab.stem!r}"
    yield from _step_problems(lab)
    yield from _behaviour_problems(lab)


def _step_problems(lab: Lab) -> Iterator[str]:
    numbers = [step.number for step in lab.steps]
    if numbers != list(range(1, len(numbers) + 1)):
        yield f"steps must be numbered 1 to {len(numbers)} in order, not {numbers}: correct steps[].number"
    seen: dict[str, int] = {}
    for step in lab.steps:
        here = f"steps[{step.number}]"
        if step.group == "bare" and step.ranks == 1:
            yield f'{here}.group is "bare", which needs more than one process: add ranks = 2, or remove group'
        if later := [one for one in step.builds_on_steps or () if one >= step.number]:
            yield f"{here}.builds_on_steps names step {later[0]}: name steps before {step.number}, or remove it"
        for function, text in step.todo.items():
            if not all(part.isidentifier() for part in function.split(".")):
                yield f"{here}.todo.{function} names no function: write function, or Class.method in quotes"
            if function in seen:
                yield f"{here}.todo.{function} is asked for in step {seen[function]} already: remove one of the two"
            seen.setdefault(function, step.number)
            comment = f"{'    ' * (function.count('.') + 1)}# TODO: {text}"
            if "\n" in text or len(comment) > COLUMNS:
                more = "two lines" if "\n" in text else f"{len(comment)} columns"
                yield f"{here}.todo.{function} gives a comment of {more}: shorten it to one line of {COLUMNS}"


def _behaviour_problems(lab: Lab) -> Iterator[str]:
    numbers, seen = {step.number for step in lab.steps}, set()
    for index, behaviour in enumerate(lab.behaviours, start=1):
        if behaviour.id in seen:
            yield f"behaviours[{index}].id: {behaviour.id} is there twice; rename or remove one of the two"
        if behaviour.step not in numbers:
            yield f"behaviours[{index}].step: {behaviour.id} names step {behaviour.step}; there is 1 to {len(numbers)}"
        elif behaviour.ranks is not None and lab.step(behaviour.step).ranks == 1:
            yield f"behaviours[{index}].ranks: step {behaviour.step} has no ranks: add ranks = 2 to it, or remove it"
        seen.add(behaviour.id)
    for number in sorted(numbers - {behaviour.step for behaviour in lab.behaviours}):
        yield f"behaviours: step {number} has none; add a [[behaviours]] with step = {number}"


def problems_between(labs: list[Lab], of: Lab | None = None) -> Iterator[str]:
    """Where two labs take the same name, or one builds on another that is not there; only where lab `of` is one."""
    stems = {lab.stem for lab in labs}
    for index, lab in enumerate(labs):
        for other in labs[:index]:
            if of in (None, lab, other):
                for key in ("number", "stem"):
                    if getattr(lab, key) == getattr(other, key):
                        taken = f"{key} {getattr(lab, key)!r} is taken by {other.paths.manifest}"
                        yield f"{lab.paths.manifest}: {taken}: choose another"
        if of in (None, lab):
            for stem in lab.builds_on:
                if stem not in stems:
                    yield f"{lab.paths.manifest}: builds_on: no lab has the stem {stem!r}: correct or remove it"
    try:
        TopologicalSorter({lab.stem: [one for one in lab.builds_on if one in stems] for lab in labs}).prepare()
    except CycleError as error:
        if of is None or of.stem in error.args[1]:
            first = next(lab for lab in labs if lab.stem == error.args[1][0])
            yield f"{first.paths.manifest}: builds_on goes in a circle, {' -> '.join(error.args[1])}: remove one"


def missing_files(lab: Lab) -> list[str]:
    """A line for each file of the lab that is not there, with what makes it."""
    paths, made = lab.paths, "make skeletons makes it"
    wanted = {
        paths.solution: "write it first: the skeleton is made from it",
        paths.skeleton: made,
        paths.student: made,
        paths.handout: made,
        paths.suite: "write the graded tests in it",
        paths.scenarios: "write what the tests make the code do in it",
        paths.mistakes: "write wrong answers in it, a folder for each step",
        paths.alternatives: "write other right answers in it, a folder for each step",
        paths.reading: "write it, or correct reading",
        **dict.fromkeys(paths.data, "add it, or correct data"),
    }
    manifest = shown(paths.manifest, paths.root)
    return [
        f"{manifest}: {shown(path, paths.root)} is missing: {how}" for path, how in wanted.items() if not path.exists()
    ]
