"""The results.json of Gradescope's autograder.

https://gradescope-autograders.readthedocs.io/en/latest/specs/ (Output format)
"""

import json
from collections import Counter
from typing import Any

from labkit.course.lab import Lab
from labkit.course.screen import visible
from labkit.grade.results import Result
from labkit.grade.told import Told, every_test, public
from labkit.judge.summary import diagnosis_of


def results_json(lab: Lab, result: Result) -> str:
    """All tests with their points. Those that gave no verdict yet have none, so that a run that is killed keeps what
    was earned; those that could not be judged are out of the count.
    """
    numbers: Counter[int] = Counter()
    tests = []
    for one in _shown(lab, result):
        numbers[one.step] += 1
        tests.append(_test(f"{one.step}.{numbers[one.step]}", one))
    data = {
        "output": "\n".join(_headline(lab, result)),
        "output_format": "text",
        "execution_time": round(result.seconds, 1),
        "stdout_visibility": "hidden",
        "extra_data": {"lab": lab.name, "state": result.state, "isolation": result.isolation},
        "tests": tests,
    }
    return json.dumps(data, indent=1) + "\n"


def _shown(lab: Lab, result: Result) -> list[Told]:
    """All tests; where none ran, one in their place that says why."""
    if result.records or not result.reason:
        return every_test(lab, result)
    return [Told(lab.steps[0].number, "no test could run", result.max_points, says=visible(result.reason))]


def _headline(lab: Lab, result: Result) -> list[str]:
    lines = [f"Lab {lab.number:02d}: {result.points} of {result.max_points} points"]
    if result.reason:
        lines.append(visible(result.reason))
    diagnosis = diagnosis_of(lab, public(lab, result.records))
    return [*lines, diagnosis] if diagnosis else lines


def _test(number: str, one: Told) -> dict[str, Any]:
    test = {
        "number": number,
        "name": one.name,
        "score": one.earned,
        "max_score": one.points if one.judged else 0,
        "output": one.says,
        "output_format": "text",
        "tags": [f"step {one.step}"],
        "visibility": "visible",
    }
    return test | {"status": "passed" if one.passed else "failed"} if one.judged else test
