"""Makes a lab's skeleton from its solution: signatures and docstrings stay, bodies become a TODO line and an exception.

What only the solution needs goes: private functions, methods and classes, decorators other than property and
staticmethod, and imports that nothing uses any more.
"""

from typing import TypeVar

import libcst as cst
import libcst.matchers as m

from labkit.course.errors import LabError
from labkit.course.files import write_whole
from labkit.course.loading import compiled
from labkit.course.manifest import Lab

KEPT_DECORATORS = ("property", "staticmethod")
ImportT = TypeVar("ImportT", cst.Import, cst.ImportFrom)


def skeleton_of(source: str, lab: Lab) -> str:
    """The skeleton of a solution's `source`.

    Raises:
        LabError: it lacks a function that a step names.
    """
    stubs = _Stubs(lab)
    original = cst.parse_module(source)
    module = original.visit(stubs)
    missing = {name for step in lab.steps for name in step.todo} - stubs.made
    if missing:
        raise LabError(f"{lab.paths.manifest}: steps: the solution has no {', '.join(sorted(missing))}")
    public = module.visit(_PrivateClasses(used=set()))
    module = module.visit(_PrivateClasses(_names(public)))
    module = module.visit(_Imports(_names(module)))
    docstring, first, *rest = module.body  # the first import may be gone, the blank line above it stays
    first = first.with_changes(leading_lines=original.body[1].leading_lines)
    return module.with_changes(body=[docstring, first, *rest]).code


def write_skeletons(lab: Lab) -> list[str]:
    """Writes `skeleton.py` and the file in `src/`, that one only if nobody has edited it; says what was done."""
    paths = lab.paths
    compiled(paths.solution)  # what is no Python is one line
    skeleton, student = paths.skeleton, paths.student
    unedited = not student.exists() or (skeleton.exists() and student.read_bytes() == skeleton.read_bytes())
    new = skeleton_of(paths.solution.read_text(encoding="utf-8"), lab)
    said = []
    for path, writable in ((skeleton, True), (student, unedited)):
        name = path.relative_to(paths.root)
        if not writable:
            said.append(f"{name}: left alone, it has been edited")
        elif path.exists() and path.read_text(encoding="utf-8") == new:
            said.append(f"{name}: up to date")
        else:
            write_whole(path, new.encode())
            said.append(f"{name}: written")
    return said


class _Stubs(cst.CSTTransformer):
    """Replaces the bodies that the steps ask for and drops what is private."""

    def __init__(self, lab: Lab) -> None:
        self.todo = {name: (step.number, text) for step in lab.steps for name, text in step.todo.items()}
        self.made: set[str] = set()
        self.scope: list[str] = []

    def visit_ClassDef(self, node: cst.ClassDef) -> None:
        self.scope.append(node.name.value)

    def leave_ClassDef(self, original_node: cst.ClassDef, updated_node: cst.ClassDef) -> cst.ClassDef:
        self.scope.pop()
        return updated_node

    def visit_FunctionDef(self, node: cst.FunctionDef) -> None:
        self.scope.append(node.name.value)

    def leave_FunctionDef(
        self, original_node: cst.FunctionDef, updated_node: cst.FunctionDef
    ) -> cst.FunctionDef | cst.RemovalSentinel:
        name = ".".join(self.scope)
        self.scope.pop()
        if name in self.todo:
            self.made.add(name)
            return _stub(updated_node, name, *self.todo[name])
        if _is_private(original_node.name.value):
            return cst.RemoveFromParent()
        return updated_node


def _is_private(name: str) -> bool:
    return name.startswith("_") and not name.endswith("__")


def _stub(function: cst.FunctionDef, name: str, step: int, todo: str) -> cst.FunctionDef:
    docstring = function.body.body[:1] if function.get_docstring() is not None else []
    failure = cst.parse_statement(f'# TODO: {todo}\nraise NotImplementedError("Step {step}: {name}")')
    decorators = [item for item in function.decorators if m.matches(item.decorator, m.Name(value=m.MatchIfTrue(_kept)))]
    return function.with_changes(
        body=cst.IndentedBlock(body=[*docstring, failure]),
        decorators=decorators,
    )


def _kept(decorator: str) -> bool:
    return decorator in KEPT_DECORATORS


def _names(module: cst.Module) -> set[str]:
    """Every name that is used outside of import statements, and every string (the entries of `__all__`)."""
    rest = module.visit(_Imports(used=set()))
    strings = {cst.ensure_type(one, cst.SimpleString).evaluated_value for one in m.findall(rest, m.SimpleString())}
    names = {cst.ensure_type(one, cst.Name).value for one in m.findall(rest, m.Name())}
    return names | {text for text in strings if isinstance(text, str)}


class _PrivateClasses(cst.CSTTransformer):
    """Drops private classes that are not in `used`."""

    def __init__(self, used: set[str]) -> None:
        self.used = used

    def leave_ClassDef(
        self, original_node: cst.ClassDef, updated_node: cst.ClassDef
    ) -> cst.ClassDef | cst.RemovalSentinel:
        name = original_node.name.value
        return cst.RemoveFromParent() if _is_private(name) and name not in self.used else updated_node


class _Imports(cst.CSTTransformer):
    """Drops imported names that are not in `used`."""

    def __init__(self, used: set[str]) -> None:
        self.used = used

    def leave_Import(self, original_node: cst.Import, updated_node: cst.Import) -> cst.Import | cst.RemovalSentinel:
        return self._filtered(updated_node)

    def leave_ImportFrom(
        self, original_node: cst.ImportFrom, updated_node: cst.ImportFrom
    ) -> cst.ImportFrom | cst.RemovalSentinel:
        return self._filtered(updated_node)

    def _filtered(self, node: ImportT) -> ImportT | cst.RemovalSentinel:
        if isinstance(node.names, cst.ImportStar):
            return node
        kept: list[cst.ImportAlias] = [alias for alias in node.names if self._bound(alias) in self.used]
        if not kept:
            return cst.RemoveFromParent()
        return node.with_changes(names=[*kept[:-1], kept[-1].with_changes(comma=cst.MaybeSentinel.DEFAULT)])

    @staticmethod
    def _bound(alias: cst.ImportAlias) -> str:
        """The name that the import binds: of `import a.b` it is a, of `import a as b` it is b."""
        return alias.evaluated_alias or alias.evaluated_name.partition(".")[0]
