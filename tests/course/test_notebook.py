"""The notebook for hosted GPUs runs: here on the CPU, in a copy of the course, without the cells for a network."""

import json
import shlex
import shutil
from pathlib import Path

import pytest
from page_checks import ROOT
from warm_python import ENVIRONMENT, python

NOTEBOOK = ROOT / "docs" / "course.ipynb"
PARTS = ("conftest.py", "labs", "pyproject.toml", "solutions", "src", "tests")
LEFT_OUT = {"network", "display"}  # the second needs IPython


def cells() -> list[tuple[set[str], str]]:
    """The tags and the source of every cell of code."""
    found = json.loads(NOTEBOOK.read_text(encoding="utf-8"))["cells"]
    return [
        (set(cell["metadata"].get("tags", ())), "".join(cell["source"]))
        for cell in found
        if cell["cell_type"] == "code"
    ]


def run(source: str, names: dict[str, object], folder: Path) -> str:
    """What a cell prints: its lines of Python as they are, and those that begin with !python as commands of a shell."""
    commands = [line for line in source.splitlines() if line.startswith("!")]
    exec("\n".join(line for line in source.splitlines() if line not in commands), names)
    printed = ""
    for command in commands:
        program, *words = shlex.split(command[1:].format(**names))
        assert program == "python"
        done = python(*words, cwd=folder, environment=ENVIRONMENT | {"PYTHONPATH": "src"})
        printed += f"{done.out}{done.err}exit code {done.code}\n"
    return printed


@pytest.mark.timeout(300)
def test_every_cell_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    course = tmp_path / "course"
    course.mkdir()
    for part in PARTS:
        whole = ROOT / part
        ignored = shutil.ignore_patterns("__pycache__", "mistakes", "alternatives", "*.egg-info")
        shutil.copytree(whole, course / part, ignore=ignored) if whole.is_dir() else shutil.copy(whole, course / part)
    monkeypatch.chdir(course)
    names: dict[str, object] = {}
    printed = [run(source, names, course) for tags, source in cells() if not tags & LEFT_OUT]
    assert names["DEVICE"] in ("cpu", "cuda") and names["IMPL"] == "solutions"
    *_, trained, own = printed
    assert trained.count("exit code 0\n") == 2 and "Final Loss" in trained, trained
    assert {path.name for path in course.glob("*.png")} == {"fp16.png", "bf16.png"}
    assert "Lab 04: Mixed Precision Training, src/mixed_precision.py" in own, own


def test_it_is_a_notebook_without_outputs() -> None:
    notebook = json.loads(NOTEBOOK.read_text(encoding="utf-8"))
    assert (notebook["nbformat"], len({cell["id"] for cell in notebook["cells"]})) == (4, len(notebook["cells"]))
    assert not any(cell.get("outputs") for cell in notebook["cells"])
