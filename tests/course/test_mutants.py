"""Mutants are single changes with names that last; survivors are explained, and no other mutant is."""

from pathlib import Path

import pytest
from small_course import small_course

from labkit.course.errors import LabError
from labkit.course.manifest import Lab
from labkit.proof.mutants import Mutant, explanations, mutants, problems

SOURCE = '''\
"""Not in a function: 1."""

import torch

LIMIT = 3


def clip(x: float, limit: float | None = None, upper: bool = True) -> float:
    """Docstrings stay."""
    if limit is not None and not upper:
        x = max(
            x,
            -limit,
        )
    with torch.no_grad():
        return x.float() * 2
'''
CHANGES = [
    ("statement dropped", "x = max(", "pass"),
    ("condition negated", "if limit is not None and not upper:", "if not (limit is not None and not upper):"),
    ("comparison swapped", "if limit is not None and not upper:", "if limit is None and not upper:"),
    ("and/or swapped", "if limit is not None and not upper:", "if limit is not None or not upper:"),
    ("not removed", "if limit is not None and not upper:", "if limit is not None and upper:"),
    ("argument dropped", "-limit,", ""),
    ("with-block removed", "with torch.no_grad():", "if True:"),
    ("return value dropped", "return x.float() * 2", "return None"),
    ("method call dropped", "return x.float() * 2", "return x * 2"),
    ("arithmetic swapped", "return x.float() * 2", "return x.float() / 2"),
    ("number changed", "return x.float() * 2", "return x.float() * 3"),
]


@pytest.mark.parametrize(("change", "line", "becomes"), CHANGES)
def test_a_mutant_is_one_change(change: str, line: str, becomes: str) -> None:
    made = dict(mutants(SOURCE))
    code = made[Mutant("clip", change, line, becomes)]
    assert (becomes or "max") in code
    compile(code, "mutant", "exec")


def test_defaults_change_and_nothing_outside_of_functions_does() -> None:
    made = [mutant for mutant, _ in mutants(SOURCE)]
    defaults = {
        (one.change, one.becomes[one.becomes.index("limit") : -1]) for one in made if one.line.startswith("def")
    }
    assert defaults == {
        ("default changed", "limit: float | None = 0, upper: bool = True) -> float"),
        ("constant changed", "limit: float | None = None, upper: bool = False) -> float"),
    }
    assert {one.function for one in made} == {"clip"}
    assert not any("LIMIT" in one.line or '"""' in one.line for one in made)


def test_names_of_mutants_do_not_move_with_other_lines() -> None:
    moved = SOURCE.replace("LIMIT = 3\n", "LIMIT = 4\n\n\ndef other():\n    pass\n")
    assert {mutant for mutant, _ in mutants(SOURCE)} <= {mutant for mutant, _ in mutants(moved)}


ONE, TWO, THREE = (Mutant("f", "number changed", "x = 1", f"x = {number}") for number in (2, 3, 4))


def test_survivors_are_explained_and_no_one_else() -> None:
    assert problems({ONE: True, TWO: False}, {TWO: "equivalent because ..."}) == []
    assert problems({ONE: False}, {}) == ["mutant survives: f: number changed: `x = 1` becomes `x = 2`"]
    gone, caught = problems({ONE: True}, {ONE: "...", THREE: "..."})[::-1]
    assert "is gone, remove its entry: f: number changed: `x = 1` becomes `x = 4`" in gone
    assert "is caught, remove its entry: f: number changed: `x = 1` becomes `x = 2`" in caught


@pytest.fixture
def lab(tmp_path: Path) -> Lab:
    lab = small_course(tmp_path).lab
    lab.paths.mistakes.mkdir(parents=True)
    return lab


@pytest.mark.parametrize("line", ["x = 'it'", 'x = "it"', 'x = "it\'s"', r'x = "\n" + "it\'s"'])
def test_an_entry_that_is_shown_can_be_written_into_the_list(line: str, lab: Lab) -> None:
    mutant = Mutant("f", "number changed", line, "")
    text = f"mutants = [\n{mutant.entry()}\n]\n".replace('because = ""', 'because = "equivalent because ..."')
    (lab.paths.mistakes / "equivalent_mutants.toml").write_text(text)
    assert explanations(lab) == {mutant: "equivalent because ..."}


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("mutants = [", "is not valid TOML"),
        ("mutants = 3", "a table on a line for each"),
        ('mutants = [{ function = "f" }]', "mutants[1] must have the strings"),
        (f"mutants = [{ONE.entry()}]", "because must say why"),
        (f"mutants = [{ONE.entry().replace('because', 'more = 1, because')}]", "mutants[1] must have the strings"),
    ],
)
def test_a_bad_list_gets_one_line(text: str, said: str, lab: Lab) -> None:
    path = lab.paths.mistakes / "equivalent_mutants.toml"
    path.write_text(text)
    with pytest.raises(LabError) as error:
        explanations(lab)
    assert str(error.value).startswith(f"{path}: ")
    assert said in str(error.value)
    assert "\n" not in str(error.value)


def test_what_an_exception_says_is_not_changed() -> None:
    source = (
        '"""Says no."""\n\n\ndef refuse(x: int) -> None:\n    if x < 0:\n        raise ValueError(f"not {x + 1}", x)\n'
    )
    found = [mutant for mutant, _ in mutants(source)]
    assert {mutant.line for mutant in found} == {"if x < 0:", 'raise ValueError(f"not {x + 1}", x)'}
    assert [mutant.becomes for mutant in found if mutant.line.startswith("raise")] == ["pass"]
