"""`make explain-lab04 TEST=name`: what a test asks for, why that matters in practice, and where to read about it."""

import ast
import difflib
import re
from pathlib import Path

from labkit.course import pages
from labkit.course.errors import LabError
from labkit.course.manifest import ROOT, Behaviour, Lab
from labkit.course.records import Record
from labkit.course.screen import Line
from labkit.judge.summary import LOST, next_record, points
from labkit.student import status

LABEL = 14  # columns
NO_JUDGES = ("expect", "Tolerance")  # their last text is a name, or a tolerance's reason
SENTENCE = 4  # words; shorter texts are names


def explain(lab: Lab, name: str | None, root: Path = ROOT) -> list[Line]:
    """The test called `name`, or the one to work on now, in lines for the terminal.

    Raises:
        LabError: no test, or more than one, is meant by `name`; or none is given and none is known to be open.
    """
    stand = status.known(lab, root)
    behaviour = find(lab, name) if name else _open(lab, stand)
    record = next((record for record in stand.records if record.id == behaviour.id), None)
    step = lab.step(behaviour.step)
    rows = [
        ("behaviour", _sentence(behaviour)),
        ("the test", _scenario(lab, behaviour, root)),
        ("if it fails", _whys(lab, behaviour, root)),
        ("in practice", behaviour.why),
        ("read", _where(lab, behaviour, root)),
        ("your code", _state(record)),
        ("run it alone", f".venv/bin/python -m pytest tests/test_{lab.stem}.py -k {behaviour.id}"),
    ]
    title = f"{behaviour.id} (step {step.number}: {step.title}, {points(behaviour.points)})"
    return [
        Line(title, "bold", 2),
        *(Line(f"  {label + ':':{LABEL}}{text}", "", LABEL + 2) for label, text in rows if text),
    ]


def find(lab: Lab, name: str) -> Behaviour:
    """The behaviour that `name` means: the test's name, with or without `test_`, or a part that no other test has."""
    wanted = name.strip().partition("::")[2] or name.strip()
    for same in (wanted, f"test_{wanted}"):
        for behaviour in lab.behaviours:
            if behaviour.id == same:
                return behaviour
    part = re.sub(r"\W+", "_", wanted.lower())
    having = [behaviour for behaviour in lab.behaviours if part in behaviour.id]
    if len(having) == 1:
        return having[0]
    names = [behaviour.id for behaviour in lab.behaviours]
    close = [one.id for one in having] or difflib.get_close_matches(f"test_{part}", names, n=3, cutoff=0.5)
    these = f"; did you mean {' or '.join(close[:5])}?" if close else f"; make test-{lab.name} shows their names"
    raise LabError(f"{lab.name} has {'more than one test' if having else 'no test'} {name!r}{these}")


def _open(lab: Lab, stand: status.Standing) -> Behaviour:
    record = next_record(stand.records)
    if record is None:
        raise LabError(f"say which test: make explain-{lab.name} TEST=name; make test-{lab.name} shows their names")
    return find(lab, record.id)


def _sentence(behaviour: Behaviour) -> str:
    return behaviour.id.removeprefix("test_").replace("_", " ")


def _state(record: Record | None) -> str:
    if record is None:
        return "not tested since you changed it"
    if record.state in LOST:
        return f"{record.state}; got {record.got}, expected {record.expected}"
    return {"todo": "not written yet", "blocked": f"blocked: {record.needs} is not written yet"}.get(
        record.state, "passes"
    )


def _where(lab: Lab, behaviour: Behaviour, root: Path) -> str:
    """The heading, and its line for an editor that knows no anchors."""
    page = root / lab.reading
    lines = dict(pages.headings(page.read_text(encoding="utf-8"))) if page.is_file() else {}
    line = f" (line {lines[behaviour.read]})" if behaviour.read in lines else ""
    return f"{lab.reading}#{behaviour.read}{line}"


def _whys(lab: Lab, behaviour: Behaviour, root: Path) -> str:
    """What the test would give as the likely causes of a failure, which says what it holds the code to."""
    return "; ".join(dict.fromkeys(why for function in _test(lab, behaviour, root) for why in _causes(function)))


def _causes(function: ast.FunctionDef) -> list[str]:
    """The sentences that are assigned to `why`, given as `why=`, or given last to whatever judges a value."""
    nodes = []
    for node in ast.walk(function):
        if isinstance(node, ast.Assign) and any(isinstance(one, ast.Name) and one.id == "why" for one in node.targets):
            nodes.append(node.value)
        elif isinstance(node, ast.Call):
            nodes += [keyword.value for keyword in node.keywords if keyword.arg == "why"]
            if node.args and not (isinstance(node.func, ast.Name) and node.func.id in NO_JUDGES):
                nodes += node.args[-1:]
    return [text for node in nodes if len((text := _text(node).strip()).split()) >= SENTENCE]


def _text(node: ast.expr) -> str:
    """A string as it stands in the source; what is filled in later becomes dots."""
    if isinstance(node, ast.Constant):
        return str(node.value)
    if isinstance(node, ast.JoinedStr):
        return "".join(_text(part) if isinstance(part, ast.Constant) else "..." for part in node.values)
    if isinstance(node, ast.BinOp):
        return _text(node.left) + _text(node.right)
    return ""


def _scenario(lab: Lab, behaviour: Behaviour, root: Path) -> str:
    """What the test makes the code do: the first lines of the docstrings of its scenarios."""
    scenarios = _functions(root / "tests" / "scenarios" / f"{lab.stem}.py")
    nodes = [node for function in _test(lab, behaviour, root) for node in ast.walk(function)]
    used = [node.attr for node in nodes if isinstance(node, ast.Attribute) and node.attr in scenarios]
    said = [(ast.get_docstring(scenarios[name]) or "").split("\n\n")[0] for name in dict.fromkeys(used)]
    return " ".join(" ".join(text.split()) for text in said if text)


def _test(lab: Lab, behaviour: Behaviour, root: Path) -> list[ast.FunctionDef]:
    """The test's function, and those of the suite that it calls, and so on."""
    functions = _functions(root / "tests" / f"test_{lab.stem}.py")
    names = [behaviour.id] if behaviour.id in functions else []
    for name in names:
        calls = [node.func for node in ast.walk(functions[name]) if isinstance(node, ast.Call)]
        called = [call.id for call in calls if isinstance(call, ast.Name) and call.id in functions]
        names += [other for other in dict.fromkeys(called) if other not in names]
    return [functions[name] for name in names]


def _functions(path: Path) -> dict[str, ast.FunctionDef]:
    if not path.is_file():
        return {}
    tree = ast.parse(path.read_text(encoding="utf-8"))
    return {node.name: node for node in tree.body if isinstance(node, ast.FunctionDef)}
