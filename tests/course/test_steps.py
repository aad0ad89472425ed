"""What a manifest says of the steps that a step builds on is what its solution and its scenarios call."""

import ast

import pytest
from msgspec.structs import replace

from labkit.course import manifest
from labkit.course.manifest import Lab

BY_STEP = [lab for lab in manifest.load_all() if lab.paths.scenarios.is_dir()]


def reached(start: set[str], uses: dict[str, set[str]]) -> set[str]:
    """The names of the solution that code which calls those in `start` comes to."""
    found, waiting = set(), list(start)
    while waiting:
        name = waiting.pop()
        if name not in found:
            found.add(name)
            waiting += uses.get(name, ())
    return found


@pytest.mark.parametrize("lab", BY_STEP, ids=lambda lab: lab.name)
def test_a_step_builds_on_those_that_it_or_its_tests_call(lab: Lab) -> None:
    solution = ast.parse(lab.paths.solution.read_text(encoding="utf-8"))
    uses = {
        one.name: {name.id for name in ast.walk(one) if isinstance(name, ast.Name)}
        for one in solution.body
        if isinstance(one, ast.FunctionDef | ast.ClassDef)
    }
    step_of: dict[str, int] = {}
    for step in lab.steps:
        for function in step.todo:
            step_of.setdefault(function.partition(".")[0], step.number)  # a class is its first step's
    for step in lab.steps:
        own = {name for name, number in step_of.items() if number == step.number}
        scenarios = ast.parse((lab.paths.scenarios / f"step_{step.number}.py").read_text(encoding="utf-8"))
        asked = {
            one.attr
            for one in ast.walk(scenarios)
            if isinstance(one, ast.Attribute) and ast.unparse(one.value) == "lab"
        }
        called = {step_of[name] for name in reached(own | asked, uses) & step_of.keys()}
        said = {number for number in range(1, step.number) if lab.cause_before(step.number, [number])}
        assert said == {number for number in called if number < step.number}, f"{lab.name}, step {step.number}"


def test_without_a_word_of_it_a_step_may_build_on_all_before_it() -> None:
    lab = BY_STEP[0]
    lab = replace(lab, steps=tuple(replace(step, builds_on_steps=None) for step in lab.steps))
    last = lab.steps[-1].number
    assert [lab.cause_before(number, [1, last]) for number in (1, last)] == [None, 1]
