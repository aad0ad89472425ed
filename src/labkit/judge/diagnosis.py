"""Names the misconception behind failed tests: every known mistake has its fingerprint: which tests fail, and how.

`misconceptions.json` beside the manifest is written by the proof (`make proof-lab04`), from the bank of mistakes.
"""

import functools
import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from labkit.course.errors import LabError
from labkit.course.manifest import Lab
from labkit.course.records import LOST, Record

NEAR = 0.75  # likeness (tests that fail alike, of all that fail in either) from which a mistake is worth a "perhaps"
FLOAT = r"(half|float32|float64|complex\d+)"
NUMBER = r"-?\b\d+(\.\d+)?(e[-+]?\d+)?\b"
NAMED = 3  # mistakes that are named at most when several fit exactly; of those that come near, one


@dataclass(frozen=True)
class Misconception:
    """A known mistake: its sentence, the steps that it gets wrong, and the symptom of each test that it fails."""

    name: str
    says: str
    steps: tuple[int, ...]
    fails: Mapping[str, str]


def misconceptions(lab: Lab) -> list[Misconception]:
    """The known mistakes of a lab; none where no proof has written them.

    Raises:
        LabError: the file is not what the proof writes.
    """
    path = lab.paths.misconceptions
    if not path.exists():
        return []
    try:
        return [
            Misconception(name, entry["says"], tuple(entry["steps"]), dict(entry["fails"]))
            for name, entry in json.loads(path.read_text(encoding="utf-8")).items()
        ]
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise LabError(f"{path}: is damaged ({error}); make proof-{lab.name} writes it again") from None


def diagnose(records: list[Record], known: list[Misconception]) -> str:
    """What the failures of the first step that has any look like; "" if no known mistake comes near."""
    exact, found = looks_like(records, known)
    return f"{'This looks like' if exact else 'Perhaps'}: {' Or: '.join(one.says for one in found)}" if found else ""


def looks_like(records: list[Record], known: list[Misconception]) -> tuple[bool, list[Misconception]]:
    """The known mistakes that explain the failures of the first step that has any, and whether they do so exactly.

    Only tests that gave a verdict count, so that an unfinished file can be diagnosed too.
    """
    step = min((record.step for record in records if record.state in LOST), default=None)
    own = [record for record in records if record.step == step]
    judged = [record.id for record in own if record.state in ("passed", *LOST)]
    seen = {record.id: symptom(record) for record in own if record.state in LOST}
    # A misspelt name fails the same tests as many a misconception: only what is known to raise the same explains it.
    slips = {_raises(seen[record.id]) for record in own if record.id in seen and record.is_slip}
    open_to = [one for one in known if step in one.steps and slips <= {_raises(how) for how in one.fails.values()}]
    for form in (str, _of_any_seed):
        if alike := [one for one in open_to if _likeness(seen, one.fails, judged, form) == 1.0]:
            return (True, alike) if len(alike) <= NAMED else (False, [])  # what many share says nothing
    scores = [_likeness(seen, one.fails, judged, _of_any_seed) for one in open_to]
    best = max(scores, default=0.0)
    return False, [open_to[scores.index(best)]] if best >= NEAR and scores.count(best) == 1 else []


def symptom(record: Record) -> str:
    """How a test failed, whatever the numbers were: "loss of step # = False", "ZeroDivisionError: division by zero"."""
    first = record.got.partition("\n")[0].partition(", line ")[0]  # not the student's own line
    name, equals, value = first.partition(" = ")
    return re.sub(NUMBER, "#", name) + equals + re.sub(NUMBER, lambda one: "#" if float(one[0]) else "0", value)


@functools.cache
def _of_any_seed(symptom: str) -> str:
    """The symptom without what a test may draw: formats, sizes, arguments, and the place of the first difference."""
    symptom = re.sub(r"\b(c10::)?(BFloat16|Half|b?float16)\b", "half", symptom).replace("-inf", "inf")
    name, equals, value = re.sub(r"\(#(, #)*,?\)", "(#)", symptom).partition(" = ")
    if not equals:
        return name
    name = re.sub(rf"\b{FLOAT}\b", "float", re.split(r"[(\[,]", name)[0])
    # A tensor's own dtype is no part of what is wrong with its numbers: it has been compared before them.
    return name + equals + re.sub(r"\[.*\]", "[...]", re.sub(rf", {FLOAT}( \(# of # are off\))?$", "", value))


def _raises(symptom: str) -> str:
    """The exception that a symptom is, or that came in the place of a value: "ValueError"; else the symptom."""
    found = re.match(r"(?:.* = )?([A-Z]\w*): ", symptom)
    return found[1] if found else symptom


def _likeness(
    seen: Mapping[str, str], fails: Mapping[str, str], judged: list[str], form: Callable[[str], str]
) -> float:
    """The share of tests that fail alike in this form, of those that fail here or there.

    One that fails here and there, but not alike, counts half: which of its cases fails first may have been drawn.
    """
    either = [test for test in judged if test in seen or test in fails]
    both = [test for test in either if test in seen and test in fails]
    alike = sum(form(seen[test]) == form(fails[test]) for test in both)
    return (alike + len(both)) / (2 * len(either)) if either else 0.0
