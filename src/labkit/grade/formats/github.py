"""The result of a runner of GitHub Classroom, as its autograding reporter reads it.

The reporter's own table takes the share of tests that passed, times max_score; Classroom gets the sum of the scores.
Both are right only if every test is worth the same, so a test of three points is three tests here.
https://github.com/classroom-resources/autograding-grading-reporter (src/aggregate-results.js, src/notify-classroom.js)

The reporter prints messages to the log of the workflow, where a line that begins with `::`, or has `##[` anywhere, is a
command: https://docs.github.com/en/actions/reference/workflows-and-actions/workflow-commands
"""

import base64
import json
import re
from typing import Any

from labkit.course.errors import LabError
from labkit.course.lab import Lab
from labkit.course.screen import visible
from labkit.grade.results import Outcome, Result
from labkit.grade.told import Told, counted

WORKFLOW = """\
# GitHub Classroom runs this in a student's repository. The course, with its tests, is another repository.
name: Autograding Tests
on:
  - push
  - repository_dispatch
permissions:
  checks: write
  actions: read
  contents: read
jobs:
  run-autograding-tests:
    runs-on: ubuntu-latest
    if: github.actor != 'github-classroom[bot]'
    timeout-minutes: 30
    steps:
      - uses: actions/checkout@v4
        with:
          path: submission
          persist-credentials: false
      # A private course takes another line, with a secret of your organization: token: ${{{{ secrets.COURSE_TOKEN }}}}
      - uses: actions/checkout@v4
        with:
          repository: {course}
          path: course
          persist-credentials: false
      - uses: actions/setup-python@v5
        with:
          python-version: "3.12"
      - name: Install
        run: |
          sudo apt-get update
          sudo apt-get install -y --no-install-recommends bubblewrap
          # Ubuntu 24.04 lets no unprivileged process have a namespace of its own, unless it is told to.
          sudo sysctl -w kernel.apparmor_restrict_unprivileged_userns=0 || true
          python -m pip install -c course/constraints.txt ./course --extra-index-url {wheels}
      - name: Grade
        id: {lab}
        working-directory: course
        env:
          PYTHONPATH: src
        run: |
          python -m labkit grade-one {lab} ../submission --as github --out "$RUNNER_TEMP/result"
          echo "result=$(cat "$RUNNER_TEMP/result")" >> "$GITHUB_OUTPUT"
      - uses: classroom-resources/autograding-grading-reporter@v1
        env:
          {upper}_RESULTS: ${{{{ steps.{lab}.outputs.result }}}}
        with:
          runners: {lab}
"""
WHEELS = "https://download.pytorch.org/whl/cpu"
LARGEST = 96_000  # bytes of an encoded result: it travels in an environment variable
MESSAGE = 300  # characters of a message, less where the result would be too large


def result_output(lab: Lab, result: Result) -> str:
    """What a step of the workflow gives as its output `result`: base64 of JSON, with shorter messages where it is long.

    Raises:
        LabError: it has so many points that it does not fit.
    """
    for most in (MESSAGE, 100, 0):
        encoded = base64.b64encode(json.dumps(_data(lab, result, most), separators=(",", ":")).encode()).decode()
        if len(encoded) <= LARGEST:
            return encoded
    raise LabError(f"{lab.name}: {result.max_points} points are too many for GitHub Classroom's reporter; give fewer")


def workflow(lab: Lab, course: str) -> str:
    """The workflow of an assignment; `course` is this course's repository, "OWNER/NAME". Raises LabError."""
    if not re.fullmatch(r"[\w.-]+/[\w.-]+", course):
        raise LabError(f"--course {visible(course)}: is no repository of GitHub; give OWNER/NAME")
    return WORKFLOW.format(lab=lab.name, upper=lab.name.upper(), course=course, wheels=WHEELS)


def harmless(text: str, most: int = MESSAGE) -> str:
    """The text on one line that no runner takes for a command."""
    line = visible("; ".join(text.splitlines())).replace("::", ": :").replace("##[", "## [")
    return line if len(line) <= most else f"{line[: max(0, most - 3)]}..."


def _data(lab: Lab, result: Result, most: int) -> dict[str, Any]:
    counting = counted(lab, result)
    tests = [test for one in counting for test in _tests(one, most)]
    if not tests:
        tests = [_test(f"Lab {lab.number:02d}", 0, harmless(result.reason, most), "error")]
    ended = result.state == Outcome.GRADED
    status = "error" if not ended else "pass" if all(test["status"] == "pass" for test in tests) else "fail"
    worth = sum(one.points for one in counting) or result.max_points
    return {"version": 3, "status": status, "max_score": worth, "tests": tests}


def _tests(one: Told, most: int) -> list[dict[str, Any]]:
    """A test for each of its points."""
    says = "" if one.passed else harmless(one.says, most)
    lost = "error" if one.state is None else "fail"
    name = f"{one.step} {one.name}"
    return [
        _test(
            f"{name}, point {point + 1} of {one.points}" if one.points > 1 else name,
            int(point < one.earned),
            says if point == one.earned else "",
            "pass" if point < one.earned else lost,
        )
        for point in range(one.points)
    ]


def _test(name: str, score: int, message: str, status: str) -> dict[str, Any]:
    return {
        "name": name,
        "status": status,
        "score": score,
        "message": message,
        "test_code": "",
        "task_id": 0,
        "filename": "",
        "line_no": 0,
        "duration": 0,
    }
