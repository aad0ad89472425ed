"""The results.json of an external grader of PrairieLearn.

It has a score from 0 to 1, at most 1 MB, and `"gradable": false` for what could not be graded, which costs a student no
attempt: https://docs.prairielearn.com/externalGrading/#grading-results
"""

import json

from labkit.course.lab import Lab
from labkit.course.screen import visible
from labkit.grade.results import Outcome, Result
from labkit.grade.told import explained, hidden, title
from labkit.judge.summary import UNJUDGED, diagnosis_of

MESSAGE = 1000  # characters


def results_json(lab: Lab, result: Result) -> str:
    """All judged tests with their points."""
    secret = hidden(lab, result.records)
    judged = [record for record in result.records if record.state not in UNJUDGED]
    if result.state in (Outcome.BROKEN, Outcome.GRADER_ERROR) or not judged:
        return json.dumps({"gradable": False, "format_errors": [visible(result.reason)[:MESSAGE]]}) + "\n"
    worth = sum(record.points for record in judged)
    tests = [
        {
            "name": f"{record.step} {title(record.id)}",
            "points": record.earned,
            "max_points": record.points,
            "message": "" if record.id in secret else explained(record)[:MESSAGE],
        }
        for record in judged
    ]
    diagnosis = diagnosis_of(lab, [record for record in judged if record.id not in secret])
    message = "\n".join(filter(None, (visible(result.reason)[:MESSAGE], diagnosis)))
    score = sum(record.earned for record in judged) / worth
    return json.dumps({"gradable": True, "score": score, "message": message, "tests": tests}, indent=1) + "\n"
