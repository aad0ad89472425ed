"""Finds the code of solutions where it should not be, however it is indented, spaced or commented."""

import ast
import re
from collections.abc import Iterator, Sequence
from pathlib import Path

from labkit.course.lab import Lab

LEAST = 20  # characters without spaces: what is shorter, `return self.scale`, tells nothing


def leaks(folder: Path, labs: Sequence[Lab]) -> list[str]:
    """A line for every function of a solution or an alternative whose body stands in a file of the folder."""
    bodies = {body: where for lab in labs for where, body in _answers(lab)}
    return [
        f"{path.relative_to(folder).as_posix()}: holds the body of {where}"
        for path in sorted(folder.rglob("*"))
        if path.is_file()
        for text in [_squeezed(path.read_bytes().decode(errors="replace"))]
        for body, where in bodies.items()
        if body in text
    ]


def _answers(lab: Lab) -> Iterator[tuple[str, str]]:
    """The functions of right answers that the skeleton does not have, with their bodies. Of those that no step asks
    for, helpers, the ones of a single statement do not count: scenarios need the like.
    """
    known = {body for _, body, _ in _bodies(lab.paths.skeleton)}
    asked = {name.rpartition(".")[2] for step in lab.steps for name in step.todo}
    for path in (lab.paths.solution, *sorted(lab.paths.alternatives.rglob("*.py"))):
        for name, body, statements in _bodies(path):
            if body not in known and len(body) >= LEAST and (name in asked or statements > 1):
                yield f"{name} in {path.relative_to(lab.paths.root).as_posix()}", body


def _bodies(path: Path) -> Iterator[tuple[str, str, int]]:
    """Name, body and number of statements of every function in the file."""
    source = path.read_text(encoding="utf-8")
    lines = source.splitlines(keepends=True)
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            body = node.body[1:] if ast.get_docstring(node, clean=False) is not None else node.body
            if body:
                yield node.name, _squeezed("".join(lines[body[0].lineno - 1 : node.end_lineno])), len(body)


def _squeezed(text: str) -> str:
    """Without comments and spaces."""
    return re.sub(r"\s+", "", re.sub(r"#.*", "", text))
