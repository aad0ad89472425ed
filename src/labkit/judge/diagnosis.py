"""Names the misconception behind failed tests: every known mistake has its fingerprint: which tests fail, and how.

`misconceptions.json` beside the manifest is written by the proof (`make proof-lab04`), from the bank of mistakes.
"""

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from labkit.course.errors import LabError
from labkit.course.manifest import Lab
from labkit.course.records import LOST, Record

NEAR = 0.75  # likeness (tests that fail alike, of all that fail in either) from which a mistake is worth a "perhaps"
NUMBER = r"-?\b\d+(\.\d+)?(e[-+]?\d+)?\b"
ORDER = r"unscale_\(\) (has|is)|step\(\) has|No inf checks"  # what a scaler says of calls out of order
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
    if any(record.is_slip or re.search(ORDER, record.got) for record in own):
        return False, []  # a misspelt name fails the same tests as many a misconception; the scaler says what it lacks
    judged = [record.id for record in own if record.state in ("passed", *LOST)]
    seen = {record.id: symptom(record) for record in own if record.state in LOST}
    for form in (str, _of_any_seed):
        scores = [(one, _likeness(seen, one.fails, judged, form)) for one in known if step in one.steps]
        best = max((score for _, score in scores), default=0.0)
        alike = [one for one, score in scores if score == best]
        if best >= NEAR and len(alike) <= (NAMED if best == 1.0 else 1):  # what many share says nothing
            return best == 1.0, alike
    return False, []


def symptom(record: Record) -> str:
    """How a test failed, whatever the numbers were: "loss of step # = False", "ZeroDivisionError: division by zero"."""
    first = record.got.partition("\n")[0].partition(", line ")[0]  # not the student's own line
    name, equals, value = first.partition(" = ")
    return re.sub(NUMBER, "#", name) + equals + re.sub(NUMBER, lambda one: "#" if float(one[0]) else "0", value)


def _of_any_seed(symptom: str) -> str:
    """The symptom without the dtype that a test has drawn."""
    return re.sub(r"\b(c10::)?(BFloat16|Half|b?float16)\b", "half", symptom)


def _likeness(
    seen: Mapping[str, str], fails: Mapping[str, str], judged: list[str], form: Callable[[str], str]
) -> float:
    """The share of tests that fail alike in this form, of those that fail here or there."""
    either = [test for test in judged if test in seen or test in fails]
    alike = [test in seen and test in fails and form(seen[test]) == form(fails[test]) for test in either]
    return sum(alike) / len(either) if either else 0.0
