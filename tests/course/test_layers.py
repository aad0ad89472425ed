"""labkit reads in one direction, package by package and file by file, and only a lab's own code names the lab."""

import ast
import functools
import graphlib

import pytest
from page_checks import ROOT

LABKIT = ROOT / "src" / "labkit"
FILES = {".".join(path.relative_to(LABKIT).with_suffix("").parts): path for path in sorted(LABKIT.rglob("*.py"))}
FILES = {name.removesuffix(".__init__"): path for name, path in FILES.items() if name != "__init__"}
PACKAGES, LAYERS, TOP = 16, 8, 6  # at most; a larger labkit is hard to find one's way in


def package(name: str) -> str:
    """The package of a file; a lab's own code is one package, its experiments included."""
    parts = name.split(".")
    return ".".join(parts[:2] if parts[0] == "labs" else parts[:1])


def imports(name: str) -> set[str]:
    """The files of labkit that the file `name` imports, anywhere in it."""
    found = set()
    for node in ast.walk(ast.parse(FILES[name].read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name.removeprefix("labkit.") for alias in node.names if alias.name.startswith("labkit.")}
        elif isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] == "labkit":
            module = node.module.removeprefix("labkit").removeprefix(".")
            names = {f"{module}.{alias.name}".removeprefix(".") for alias in node.names}
            found |= {one if one in FILES else module for one in names}
    return found - {""}


def layers(graph: dict[str, set[str]]) -> list[tuple[str, ...]]:
    """The nodes layer by layer, the lowest first. Raises CycleError, which names the cycle."""
    sorter = graphlib.TopologicalSorter(graph)
    sorter.prepare()
    found = []
    while sorter.is_active():
        found.append(sorter.get_ready())
        sorter.done(*found[-1])
    return found


@functools.cache
def file_graph() -> dict[str, set[str]]:
    return {name: imports(name) - {name} for name in FILES}


@functools.cache
def package_graph() -> dict[str, set[str]]:
    graph: dict[str, set[str]] = {}
    for name, others in file_graph().items():
        graph.setdefault(package(name), set()).update(package(other) for other in others)
    return {name: others - {name} for name, others in graph.items() if name not in ("__main__", "labs")}


def test_no_file_imports_upwards() -> None:
    layers(file_graph())


def test_packages_are_few_and_have_no_cycle() -> None:
    found = layers(package_graph())
    assert len(found) <= LAYERS, found
    assert len(package_graph()) <= PACKAGES
    assert len(list(LABKIT.glob("*.py"))) <= TOP


@pytest.mark.parametrize("name", [name for name in FILES if not name.startswith("labs.")])
def test_generic_code_imports_no_lab(name: str) -> None:
    """`course.kits` gives access to a lab's own code; no other file names it."""
    assert [other for other in file_graph()[name] if other.startswith("labs.")] == []


def test_the_maintainers_page_has_every_package() -> None:
    page = (ROOT / "docs" / "maintainers.md").read_text(encoding="utf-8")
    section = page.partition("## The packages of labkit")[2].partition("\n## ")[0]
    missing = {name for name in package_graph() if not name.startswith("labs.")} - set(
        section.replace("`", " ").split()
    )
    assert missing == set()


@pytest.mark.parametrize("directory", ["src", "tests"])
def test_no_solution_is_imported(directory: str) -> None:
    """A lab file is loaded by its path; src/ knows nothing of the tests either."""
    forbidden = {"solutions", "tests"} if directory == "src" else {"solutions"}
    found = []
    for path in sorted((ROOT / directory).rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            modules = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            modules += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            found += [f"{path.name}: {module}" for module in modules if module.split(".")[0] in forbidden]
    assert found == []
