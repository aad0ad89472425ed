"""The result.json of an autograder of Classroom 50.

Its runner tells whose submission it is in the environment, and checks the result against the schema:
https://github.com/foundation50/classroom50/blob/main/schemas/result-v1.schema.json
https://github.com/foundation50/classroom50/wiki/Advanced-Autograding
"""

import json
from collections.abc import Mapping

from labkit.course.errors import LabError
from labkit.course.lab import Lab
from labkit.grade.results import Result
from labkit.grade.told import counted

# The fields that the runner knows, by the names that its environment has for them.
TOLD = {
    "classroom": "CLASSROOM",
    "assignment": "ASSIGNMENT",
    "owner": "OWNER",
    "submission": "SUBMISSION_TAG",
    "commit": "COMMIT_URL",
    "release": "RELEASE_URL",
    "review": "REVIEW_URL",
}


def result_json(lab: Lab, result: Result, environment: Mapping[str, str], now: str) -> str:
    """The result as JSON; `now` is the time, "2026-06-01T14:33:11Z".

    Raises:
        LabError: the environment is not that of the runner.
    """
    told = {"USERNAME": "", **environment}
    told = {"OWNER": told["USERNAME"], "REVIEW_URL": told.get("COMMIT_URL", "")} | told  # older runners have no more
    missing = [name for name in TOLD.values() if not told.get(name)]
    if missing:
        raise LabError(f"--as classroom50: {missing[0]} is not set; Classroom 50's runner sets it for an autograder.py")
    tests = counted(lab, result)
    data = {
        "schema": "classroom50/result/v1",
        **{field: told[name] for field, name in TOLD.items()},
        "assignment_type": told.get("ASSIGNMENT_TYPE") or "individual",
        "datetime": now,
        "score": sum(one.earned for one in tests),
        "max-score": sum(one.points for one in tests) or result.max_points,
        "tests": [
            {
                "test-name": f"{one.step} {one.name}",
                "passed": one.passed,
                "score": one.earned,
                "max-score": one.points,
                "message": one.says,
            }
            for one in tests
        ],
    }
    return json.dumps(data, indent=1) + "\n"
