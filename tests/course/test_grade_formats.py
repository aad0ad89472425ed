"""Results in the formats of other systems: as each documents it, without what is hidden, and without commands."""

import base64
import json
import re
from typing import Annotated, Any, Literal

import msgspec
import pytest
from msgspec import Meta, Struct

from labkit.course import manifest
from labkit.course.errors import LabError
from labkit.course.records import NO_EXCEPTION, Record
from labkit.course.screen import visible
from labkit.grade import told
from labkit.grade.formats import classroom50, github, gradescope, prairielearn
from labkit.grade.results import Outcome, Result
from labkit.observe.isolation import Level

LAB = manifest.find("lab04")
INJECTION = "x\n::set-output name=result::cGFzcw==\n::add-mask::y\r::error::z ##[command]rm\u2028::stop"
SECRET = Record(LAB.name, "test_of_my_own", 1, 2, 0.1, "read", "failed", 0, "GOT", "EXPECTED", "WHY", printed="PRINTED")
WITH_HIDDEN = (SECRET, SECRET.but(id="test_of_my_own_2", state="passed", earned=2))


def records(**states: str) -> tuple[Record, ...]:
    """A record for every test; `step2="failed"` says what those of step 2 are, else they have passed."""
    found = []
    for one in LAB.behaviours:
        state = states.get(f"step{one.step}", "passed")
        base = Record(LAB.name, one.id, one.step, one.points, 0.1, f"{LAB.reading}#{one.read}", state)
        if state == "passed":
            found.append(base.but(earned=one.points))
        elif state == "failed":
            found.append(base.but(got=INJECTION, expected=NO_EXCEPTION, why="a & b", printed=f"{INJECTION}\x1b[2J\n"))
        else:
            found.append(base.but(needs="Step 5: x" if state == "todo" else "deepspeed" if state == "skipped" else ""))
    return tuple(found)


def result(given: tuple[Record, ...] = (), **changes: Any) -> Result:
    state = Outcome.GRADED if given else Outcome.BROKEN
    most = sum(record.points for record in given) or LAB.points
    settings = {"state": state, "isolation": Level.BUBBLEWRAP, "records": given} | changes
    return Result("key", "x", LAB.name, sum(record.earned for record in given), most, **settings)


MIXED = result((*records(step2="failed", step3="todo", step5="skipped"), *WITH_HIDDEN))
EVERY = {
    "mixed": MIXED,
    "full": result(records()),
    "nothing": result(records(**{f"step{step.number}": "failed" for step in LAB.steps})),
    "broken": result(reason=INJECTION),
    "cut off": result(records()[:3], state=Outcome.TIMEOUT, reason="grading was cut off"),
    "not judged": result(records(step1="grader_error"), state=Outcome.GRADER_ERROR, reason="no space left"),
}
ENVIRONMENT = {
    "CLASSROOM": "cs", "ASSIGNMENT": "lab04", "USERNAME": "amara", "SUBMISSION_TAG": "submit/2026-06-01T14-32-05Z-a1b2",
    "COMMIT_URL": "https://github.com/o/r/commit/1", "RELEASE_URL": "https://github.com/o/r/releases/tag/1",
}  # fmt: skip
NOW = "2026-06-01T14:33:11Z"


def texts() -> dict[tuple[str, str], str]:
    """Every result in every format, decoded."""
    found = {}
    for name, one in EVERY.items():
        found["gradescope", name] = gradescope.results_json(LAB, one)
        found["github", name] = base64.b64decode(github.result_output(LAB, one)).decode()
        found["classroom50", name] = classroom50.result_json(LAB, one, ENVIRONMENT, NOW)
        found["prairielearn", name] = prairielearn.results_json(LAB, one)
    return found


TEXTS = texts()


@pytest.mark.parametrize("key", TEXTS, ids="-".join)
def test_hidden_tests_are_names_and_points(key: tuple[str, str]) -> None:
    text = TEXTS[key]
    assert not re.search("GOT|EXPECTED|WHY|PRINTED", text)
    assert ("of my own" in text) == (key[1] == "mixed")


@pytest.mark.parametrize("key", TEXTS, ids="-".join)
def test_no_control_character_comes_through(key: tuple[str, str]) -> None:
    def strings(value: object) -> list[str]:
        inside = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
        return [value] if isinstance(value, str) else [text for one in inside for text in strings(one)]

    assert not [text for text in strings(json.loads(TEXTS[key])) if re.search("[\x00-\x08\x0b-\x1f\x7f]", text)]


# Gradescope -------------------------------------------------------------------------------------------------------

Visibility = Literal["hidden", "after_due_date", "after_published", "visible"]
Format = Literal["text", "html", "simple_format", "md", "ansi"]


class GradescopeTest(Struct, forbid_unknown_fields=True):
    """https://gradescope-autograders.readthedocs.io/en/latest/specs/"""

    score: float
    max_score: float
    name: str
    number: str
    output: str
    output_format: Format
    tags: list[str]
    visibility: Visibility
    status: Literal["passed", "failed"] | None = None


class Gradescope(Struct, forbid_unknown_fields=True):
    """The same page: `score` may be left out where the tests have theirs."""

    tests: Annotated[list[GradescopeTest], Meta(min_length=1)]
    output: str
    output_format: Format
    execution_time: float
    stdout_visibility: Visibility
    extra_data: dict[str, str]


def of_gradescope(name: str) -> Gradescope:
    return msgspec.json.decode(TEXTS["gradescope", name], type=Gradescope)


def test_gradescope_shows_once_why_no_test_could_run() -> None:
    (test,) = of_gradescope("broken").tests
    assert (test.score, test.max_score, test.status) == (0, EVERY["broken"].max_points, "failed")
    assert test.output == visible(EVERY["broken"].reason)


@pytest.mark.parametrize("name", EVERY)
def test_gradescope_gets_the_points_of_the_result(name: str) -> None:
    found, one = of_gradescope(name), EVERY[name]
    assert sum(test.score for test in found.tests) == one.points
    assert len({test.number for test in found.tests}) == len(found.tests)
    assert all(test.status == "passed" for test in found.tests if test.score)


def test_gradescope_tells_what_has_not_run() -> None:
    found = of_gradescope("cut off")
    assert sum(test.max_score for test in found.tests) == LAB.points
    first = f"{told.ENDED} (grading was cut off)"
    assert [test.output for test in found.tests[3:]] == [first, *[told.ENDED] * (len(LAB.behaviours) - 4)]
    assert "grading was cut off" in found.output


def test_what_was_not_judged_is_no_zero() -> None:
    unjudged = [test for test in of_gradescope("not judged").tests if test.tags == ["step 1"]]
    assert {(test.score, test.max_score, test.status) for test in unjudged} == {(0, 0, None)}
    assert all("not your fault" in test.output for test in unjudged)


# GitHub Classroom -------------------------------------------------------------------------------------------------


class GithubTest(Struct, forbid_unknown_fields=True):
    """What the runners of https://github.com/classroom-resources give for a test."""

    name: str
    status: Literal["pass", "fail", "error"]
    score: int
    message: str
    test_code: str
    task_id: int
    filename: str
    line_no: int
    duration: int


class Github(Struct, forbid_unknown_fields=True):
    version: Literal[3]
    status: Literal["pass", "fail", "error"]
    max_score: int
    tests: Annotated[list[GithubTest], Meta(min_length=1)]


def of_github(name: str) -> Github:
    return msgspec.json.decode(TEXTS["github", name], type=Github)


@pytest.mark.parametrize("name", EVERY)
def test_both_of_the_reporters_sums_are_the_points(name: str) -> None:
    """The table's is getTestScore of its aggregate-results.js, Classroom's that of notify-classroom.js."""
    found = of_github(name)
    passed = sum(test.status == "pass" for test in found.tests)
    assert passed / len(found.tests) * found.max_score == pytest.approx(EVERY[name].points)
    assert sum(test.score for test in found.tests) == EVERY[name].points


@pytest.mark.parametrize("name", EVERY)
def test_no_message_is_a_workflow_command(name: str) -> None:
    """A runner trims lines, and looks for the old form of commands anywhere in them."""
    for test in of_github(name).tests:
        for line in f"❌ {test.name}\nError: {test.message}\n".splitlines():
            assert not line.strip().startswith("::") and "##[" not in line
        assert "::" not in test.message and len(test.message.splitlines()) < 2


@pytest.mark.parametrize("name", ["broken", "cut off"])
def test_tests_that_did_not_run_count(name: str) -> None:
    """So that a share is one of all points; a broken submission and its reason are in the table too."""
    found, ran = of_github(name), sum(one.points for one in EVERY[name].records)
    assert found.max_score == len(found.tests) == LAB.points
    assert [test.status for test in found.tests] == ["pass"] * ran + ["error"] * (LAB.points - ran)
    assert told.ENDED in found.tests[ran].message
    other = msgspec.json.decode(TEXTS["classroom50", name], type=Classroom50)
    assert other.max_score == sum(test.max_score for test in other.tests) == LAB.points
    assert [test.passed for test in other.tests].count(True) == len(EVERY[name].records)
    if name == "cut off":
        share = msgspec.json.decode(TEXTS["prairielearn", name], type=Prairielearn).score
        assert share == pytest.approx(ran / LAB.points)


def test_a_skipped_test_counts_for_nobody() -> None:
    for name in ("mixed", "not judged"):
        judged = sum(one.points for one in EVERY[name].records if one.state not in ("skipped", "grader_error"))
        other = msgspec.json.decode(TEXTS["classroom50", name], type=Classroom50)
        assert of_github(name).max_score == other.max_score == judged


def test_github_status() -> None:
    said = {name: of_github(name).status for name in EVERY}
    assert said == {"mixed": "fail", "full": "pass", "nothing": "fail", "broken": "error", "cut off": "error",
                    "not judged": "error"}  # fmt: skip


def test_result_fits_into_the_environment() -> None:
    long = [one.but(got="é" * 4000) for one in EVERY["nothing"].records]
    assert len(github.result_output(LAB, result(reason="é" * 4000))) <= github.LARGEST
    twice = (*long, *(one.but(id=f"{one.id}_hidden") for one in long))
    encoded = github.result_output(LAB, result(twice))
    assert len(github.result_output(LAB, result(tuple(long)))) < len(encoded) <= github.LARGEST
    assert "\n" not in encoded
    with pytest.raises(LabError, match="are too many for GitHub Classroom's reporter"):
        github.result_output(LAB, result(tuple(one.but(id=f"{one.id}_{n}") for n in range(9) for one in long)))


def test_workflow_names_lab_and_course() -> None:
    text = github.workflow(LAB, "org/course")
    assert "grade-one lab04 ../submission --as github" in text and "repository: org/course" in text
    used = [line.strip() for line in text.splitlines() if "${{" in line and not line.lstrip().startswith("#")]
    assert used == ["LAB04_RESULTS: ${{ steps.lab04.outputs.result }}"]
    with pytest.raises(LabError, match="is no repository of GitHub; give OWNER/NAME"):
        github.workflow(LAB, "org/course\n  run: rm")


# Classroom 50 -----------------------------------------------------------------------------------------------------

Moment = Annotated[str, Meta(pattern=r"^\d{4}-\d{2}-\d{2}T([01]\d|2[0-3]):[0-5]\d:[0-5]\dZ$")]
Some = Annotated[str, Meta(min_length=1)]
Count = Annotated[int, Meta(ge=0)]


class Classroom50Test(Struct, rename="kebab"):
    """$defs/testResult of the schema; other fields are allowed."""

    test_name: Some
    passed: bool
    score: Count
    max_score: Count


class Classroom50(Struct, forbid_unknown_fields=True, rename={"max_score": "max-score"}):
    """https://github.com/foundation50/classroom50/blob/main/schemas/result-v1.schema.json"""

    schema: Literal["classroom50/result/v1"]
    classroom: Some
    assignment: Some
    assignment_type: Literal["individual", "group"]
    owner: Some
    submission: Annotated[str, Meta(pattern="^submit/")]
    commit: Some
    release: Some
    review: Some
    datetime: Moment
    score: Count
    max_score: Count
    tests: list[Classroom50Test]


@pytest.mark.parametrize("name", EVERY)
def test_classroom50_gets_what_its_schema_asks_for(name: str) -> None:
    found = msgspec.json.decode(TEXTS["classroom50", name], type=Classroom50)
    assert found.score == sum(test.score for test in found.tests) == EVERY[name].points <= found.max_score
    assert all(test.score <= test.max_score for test in found.tests)
    assert (found.owner, found.review, found.datetime) == ("amara", ENVIRONMENT["COMMIT_URL"], NOW)


def test_classroom50_is_refused_outside_of_its_runner() -> None:
    with pytest.raises(LabError, match="SUBMISSION_TAG is not set; Classroom 50's runner sets it"):
        classroom50.result_json(LAB, MIXED, ENVIRONMENT | {"SUBMISSION_TAG": ""}, NOW)


# PrairieLearn -----------------------------------------------------------------------------------------------------


class PrairielearnTest(Struct, forbid_unknown_fields=True):
    """https://docs.prairielearn.com/externalGrading/#grading-results"""

    name: str
    points: float
    max_points: float
    message: str


class Prairielearn(Struct, forbid_unknown_fields=True):
    """The same page: the score counts only if it is gradable."""

    gradable: bool
    score: Annotated[float, Meta(ge=0, le=1)] | None = None
    message: str = ""
    tests: list[PrairielearnTest] = []
    format_errors: list[str] = []


@pytest.mark.parametrize("name", EVERY)
def test_prairielearn_gets_a_share_or_no_grade(name: str) -> None:
    text, one = TEXTS["prairielearn", name], EVERY[name]
    found = msgspec.json.decode(text, type=Prairielearn)
    assert found.gradable == (name not in ("broken", "not judged")) == (found.score is not None)
    if found.gradable:
        assert found.score == pytest.approx(one.points / sum(test.max_points for test in found.tests))
        assert sum(test.points for test in found.tests) == one.points
    else:
        assert found.format_errors[0]
    assert len(text.encode()) < 1_000_000
