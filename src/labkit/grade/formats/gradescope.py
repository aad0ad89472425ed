"""The results.json of Gradescope's autograder.

https://gradescope-autograders.readthedocs.io/en/latest/specs/ (Output format)
"""

import json
from collections import Counter
from typing import Any

from labkit.course.lab import Behaviour, Lab
from labkit.course.records import Record, State
from labkit.course.screen import visible
from labkit.grade.results import Result
from labkit.grade.told import explained, hidden, title
from labkit.judge.summary import UNJUDGED, diagnosis_of

ENDED = "no points: grading ended before this test"


def results_json(lab: Lab, result: Result) -> str:
    """All tests with their points. Those that gave no verdict yet have none, so that a run that is killed keeps what
    was earned; those that could not be judged are out of the count.
    """
    secret = hidden(lab, result.records)
    given = {record.id: record for record in result.records}
    numbers: Counter[int] = Counter()

    def number(step: int) -> str:
        numbers[step] += 1
        return f"{step}.{numbers[step]}"

    tests = [
        _test(number(one.step), given[one.id], one.hidden) if one.id in given else _open(number(one.step), one)
        for one in lab.behaviours
    ]
    named = {one.id for one in lab.behaviours}
    tests += [_test(number(one.step), one, True) for one in result.records if one.id not in named]
    data = {
        "output": "\n".join(_headline(lab, result, secret)),
        "output_format": "text",
        "execution_time": round(result.seconds, 1),
        "stdout_visibility": "hidden",
        "extra_data": {"lab": lab.name, "state": result.state, "isolation": result.isolation},
        "tests": tests,
    }
    return json.dumps(data, indent=1) + "\n"


def _headline(lab: Lab, result: Result, secret: set[str]) -> list[str]:
    lines = [f"Lab {lab.number:02d}: {result.points} of {result.max_points} points"]
    if result.reason:
        lines.append(visible(result.reason))
    diagnosis = diagnosis_of(lab, [record for record in result.records if record.id not in secret])
    return [*lines, diagnosis] if diagnosis else lines


def _test(number: str, record: Record, secret: bool) -> dict[str, Any]:
    judged = record.state not in UNJUDGED
    test = {
        "number": number,
        "name": f"{title(record.id)} (hidden)" if secret else title(record.id),
        "score": record.earned,
        "max_score": record.points if judged else 0,
        "output": "" if secret else explained(record),
        "output_format": "text",
        "tags": [f"step {record.step}"],
        "visibility": "visible",
    }
    return test | {"status": "passed" if record.state == State.PASSED else "failed"} if judged else test


def _open(number: str, behaviour: Behaviour) -> dict[str, Any]:
    """A test that has not run."""
    return {
        "number": number,
        "name": title(behaviour.id),
        "score": 0,
        "max_score": behaviour.points,
        "status": "failed",
        "output": ENDED,
        "output_format": "text",
        "tags": [f"step {behaviour.step}"],
        "visibility": "visible",
    }
