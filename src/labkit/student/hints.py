"""`make hint-lab04 STEP=2`: one rung more each time, from a question to nearly the code; never the solution."""

import json
from contextlib import suppress
from pathlib import Path

from labkit.course.errors import LabError
from labkit.course.files import write_json
from labkit.course.manifest import Lab
from labkit.course.screen import Line
from labkit.course.site import address
from labkit.judge import progress
from labkit.judge.lines import page_lines

RUNGS = ("a question", "the idea", "nearly the code")


def next_hint(lab: Lab, number: int, more: str = "") -> list[Line]:
    """The step's hints up to one that was not shown before, which is remembered; after the last, where else to look.

    `more` is what to type for another one; by default the make command.

    Raises:
        LabError: the lab has no such step.
    """
    if number not in [step.number for step in lab.steps]:
        raise LabError(
            f"{lab.name} has no step {number}; say which: make hint-{lab.name} STEP=1 (1 to {len(lab.steps)})"
        )
    step, more = lab.step(number), more or f"make hint-{lab.name} STEP={number}"
    before = _seen(lab).get(lab.name, {}).get(str(number), 0)
    seen = min(before + 1, len(step.hints))
    said = [Line(f"Step {number}: {step.title}", "bold")]
    for rung, hint in enumerate(step.hints[:seen], start=1):
        last = rung == seen
        kind = RUNGS[rung - 1]
        said.append(Line(f"  {rung} of {len(step.hints)}, {kind}:", "bold" if last else "dim"))
        said += [Line(f"    {part}", "" if last else "dim", 4) for part in hint.splitlines()]  # often one a function
    if before == len(step.hints):
        said.append(Line("  That was the last hint. What each test asks for:"))
        said.append(Line(f"    make test-{lab.name} STEP={number}, then make explain-{lab.name} TEST=name", indent=4))
    elif seen < len(step.hints):
        said.append(Line(f"  Try it first; {len(step.hints) - seen} more: {more}", indent=2))
    link = f"{lab.reading}#{step.read}"
    said.append(Line(f"  Read {link}", indent=4))
    said += page_lines(address(link, lab.paths.root), 2)
    if not _keep(lab, number, seen):
        said.append(
            Line(f"  {progress.FOLDER}/ cannot be written, so this will be forgotten: make doctor", "yellow", 2)
        )
    return said


def forget(lab: Lab) -> None:
    """Starts every step's hints from the first rung again."""
    seen = _seen(lab)
    if seen.pop(lab.name, None):
        _write(seen, lab)


def _keep(lab: Lab, number: int, rungs: int) -> bool:
    seen = _seen(lab)
    seen.setdefault(lab.name, {})[str(number)] = rungs
    return _write(seen, lab)


def _seen(lab: Lab) -> dict[str, dict[str, int]]:
    """How many rungs of each step of each lab were shown; nothing where that cannot be read."""
    with suppress(OSError, ValueError, TypeError, AttributeError, OverflowError):
        data = json.loads(_path(lab).read_text(encoding="utf-8"))
        return {name: {step: max(0, int(rungs)) for step, rungs in steps.items()} for name, steps in data.items()}
    return {}


def _write(seen: dict[str, dict[str, int]], lab: Lab) -> bool:
    """Whether it could be written; where not, every hint is the first."""
    try:
        _path(lab).parent.mkdir(exist_ok=True)
        write_json(_path(lab), seen)
    except (LabError, OSError):
        return False
    return True


def _path(lab: Lab) -> Path:
    return lab.paths.root / progress.FOLDER / "hints.json"
