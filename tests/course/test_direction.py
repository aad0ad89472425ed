"""labkit reads in one direction: docs/maintainers.md draws the floors, and no file imports from one above its own."""

import ast
import re
from pathlib import Path

import pytest
from page_checks import ROOT

LABKIT = ROOT / "src" / "labkit"
ROOMS = {path.stem: [path] for path in LABKIT.glob("*.py") if path.stem != "__init__"}
ROOMS |= {path.parent.name: sorted(path.parent.glob("*.py")) for path in LABKIT.glob("*/__init__.py")}


def floors() -> dict[str, int]:
    """Each file or folder of labkit and the number of its floor, counted from the top, as the page has them."""
    page = (ROOT / "docs" / "maintainers.md").read_text(encoding="utf-8")
    section = page.partition("## labkit reads in one direction")[2].partition("\n## ")[0]
    rows = [row.split("|") for row in section.splitlines() if row.startswith("|")][2:]
    return {name: number for number, row in enumerate(rows) for name in re.findall(r"`(\w+)`", row[2])}


def imported(path: Path) -> set[str]:
    """The files and folders of labkit that the file at `path` imports, anywhere in it."""
    names = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names |= {alias.name.split(".")[1] for alias in node.names if alias.name.startswith("labkit.")}
        elif isinstance(node, ast.ImportFrom) and node.module == "labkit":
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and (node.module or "").startswith("labkit."):
            names.add(node.module.split(".")[1])
    return names


def test_page_has_every_file() -> None:
    assert sorted(floors()) == sorted(ROOMS)


@pytest.mark.parametrize("name", sorted(ROOMS))
def test_nothing_from_above_is_imported(name: str) -> None:
    floor, others = floors(), set().union(*map(imported, ROOMS[name]))
    assert [other for other in sorted(others) if floor[other] < floor[name]] == []


@pytest.mark.parametrize("wing", ["src", "tests"])
def test_no_solution_is_imported(wing: str) -> None:
    """A lab file is loaded by its path; src/ knows nothing of the tests either."""
    forbidden = {"solutions", "tests"} if wing == "src" else {"solutions"}
    found = []
    for path in sorted((ROOT / wing).rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            modules = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            modules += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            found += [f"{path.name}: {module}" for module in modules if module.split(".")[0] in forbidden]
    assert found == []
