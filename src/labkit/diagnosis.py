"""Names the misconception behind failed tests: every known mistake has its fingerprint, the tests that it fails.

`misconceptions.json` beside the manifest is written by the proof (`make proof-lab04`), from the bank of mistakes.
"""

import json
from dataclasses import dataclass

from labkit.errors import LabError
from labkit.manifest import Lab
from labkit.records import LOST, Record

NEAR = 0.75  # share of tests in common (intersection over union) from which a mistake is worth a "perhaps"
NAMED = 3  # mistakes that are named at most when several fit exactly; of those that come near, one


@dataclass(frozen=True)
class Misconception:
    """A known mistake: its sentence, the steps whose functions it gets wrong, and the tests that it fails."""

    name: str
    says: str
    steps: tuple[int, ...]
    fails: frozenset[str]


def misconceptions(lab: Lab) -> list[Misconception]:
    """The known mistakes of a lab; none where no proof has written them.

    Raises:
        LabError: the file is not what the proof writes.
    """
    path = lab.folder / "misconceptions.json"
    if not path.exists():
        return []
    try:
        return [
            Misconception(name, entry["says"], tuple(entry["steps"]), frozenset(entry["fails"]))
            for name, entry in json.loads(path.read_text(encoding="utf-8")).items()
        ]
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise LabError(f"{path}: is damaged ({error}); make proof-{lab.name} writes it anew") from None


def diagnose(records: list[Record], known: list[Misconception]) -> str:
    """What the failures of the first step that has any look like; "" if no known mistake comes near.

    Only tests that gave a verdict count, so that an unfinished file can be diagnosed too.
    """
    failed = {record.id: record.step for record in records if record.state in LOST}
    if not failed:
        return ""
    step = min(failed.values())
    if any(record.is_slip for record in records if record.step == step):
        return ""  # a misspelt name fails the same tests as many a misconception
    judged = {record.id for record in records if record.step == step and record.state in ("passed", *LOST)}
    seen = judged & failed.keys()
    scores = {one: _overlap(seen, one.fails & judged) for one in known if step in one.steps}
    best = max(scores.values(), default=0.0)
    if best < NEAR:
        return ""
    alike = [one.says for one, score in scores.items() if score == best]
    if len(alike) > (NAMED if best == 1.0 else 1):
        return ""  # a fingerprint that many share says nothing
    return f"{'This looks like' if best == 1.0 else 'Perhaps'}: {' Or: '.join(alike)}"


def _overlap(one: set[str], other: frozenset[str]) -> float:
    return len(one & other) / len(one | other) if one | other else 0.0
