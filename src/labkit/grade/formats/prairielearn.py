"""The results.json of an external grader of PrairieLearn.

It has a score from 0 to 1, at most 1 MB, and `"gradable": false` for what could not be graded, which costs a student no
attempt: https://docs.prairielearn.com/externalGrading/#grading-results
"""

import json

from labkit.course.lab import Lab
from labkit.course.screen import visible
from labkit.grade.results import Outcome, Result
from labkit.grade.told import counted, public
from labkit.judge.summary import diagnosis_of

MESSAGE = 1000  # characters


def results_json(lab: Lab, result: Result) -> str:
    """All tests that count, with their points."""
    tests = counted(lab, result)
    worth = sum(one.points for one in tests)
    if result.state in (Outcome.BROKEN, Outcome.GRADER_ERROR) or not result.records or not worth:
        return json.dumps({"gradable": False, "format_errors": [visible(result.reason)[:MESSAGE]]}) + "\n"
    diagnosis = diagnosis_of(lab, public(lab, result.records))
    data = {
        "gradable": True,
        "score": sum(one.earned for one in tests) / worth,
        "message": "\n".join(filter(None, (visible(result.reason)[:MESSAGE], diagnosis))),
        "tests": [
            {
                "name": f"{one.step} {one.name}",
                "points": one.earned,
                "max_points": one.points,
                "message": one.says[:MESSAGE],
            }
            for one in tests
        ],
    }
    return json.dumps(data, indent=1) + "\n"
