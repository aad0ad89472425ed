"""Whose fault it was: one run of a suite that has every kind of fault itself, on code that is right and that is not."""

import json

import pytest
from small_course import MANIFEST, Course, small_course

BEHAVIOUR = '[[behaviours]]\nid = "{}"\nstep = {}\npoints = 2\nread = "doubling"\nwhy = "It shows a fault."\n'

SUITE = '''\
"""A suite with faults of its own."""

import math

import pytest
import torch

from labkit.judge.expect import expect
from scenarios import tiny as lab07


def test_right(observe):
    expect(observe(lab07.doubled, x=2)).equals(4, why="")


def test_bug_before_any_value(observe):
    {}["no such key"]


def test_module_without_the_name(observe):
    torch.no_such_function(observe(lab07.doubled, x=2))


def test_name_that_is_not_there(observe):
    observe(lab07.doubled, x=2)
    no_such_name


def test_ranks_that_the_manifest_lacks(observe):
    observe(lab07.doubled, ranks=2, x=2)


def test_input_that_is_no_value(observe):
    observe(lab07.doubled, x=object())


def test_fixture_that_is_not_there(no_such_fixture):
    pass


def test_bug_in_the_scenario(observe):
    observe(lab07.with_a_bug, x=2)


def test_loop_in_the_test(observe):
    observe(lab07.doubled, x=2)
    while True:
        math.sqrt(2)


def test_takes_the_value_apart(observe):
    first, second = observe(lab07.halved, x=2)
    expect(first["a"][0] + second.item()).equals(1, why="")


@pytest.mark.parametrize("x", [1, 2, 3])
def test_in_cases(observe, x):
    expect(observe(lab07.doubled, x=x)).equals(2 * x, why="")


@pytest.mark.parametrize("x", [1, 2, 3])
def test_in_cases_one_of_which_fails(observe, x):
    expect(observe(lab07.doubled, x=x)).equals(5 if x == 2 else 2 * x, why="")


def test_that_skips(observe):
    pytest.importorskip("no_such_package")


def test_leaves_a_value_that_is_none(observe):
    observe(lab07.a_function)


def test_of_what_lacks_a_package(observe):
    raise AssertionError("not run")
'''
NAMES = [line.split("(")[0].removeprefix("def ") for line in SUITE.splitlines() if line.startswith("def test_")]
LACKING = NAMES.pop()
LOOPING = "test_loop_in_the_test"

CONFTEST = """
from labkit.course.manifest import Lab

Lab.missing = lambda self, step: ("no-such-package",) if step == 2 else ()
"""


@pytest.fixture(scope="module")
def records(tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict]:
    """The record of every behaviour, with what the run printed under ""."""
    course = small_course(tmp_path_factory.mktemp("course"))
    write(course)
    path = course.root / "report.json"
    ran = course.run(
        "-m", "pytest", "-q", "-p", "no:cacheprovider", "tests/test_tiny.py", "--json", str(path), TORCH="yes"
    )
    assert ran.code == 1, ran.out + ran.err
    found = {record["id"]: record for record in json.loads(path.read_text())["records"]}
    assert sorted(found) == sorted([*NAMES, LACKING]), ran.out
    return found | {"": {"out": ran.out}}


def write(course: Course) -> None:
    steps = MANIFEST.partition("[[behaviours]]")[0]
    behaviours = "".join(
        BEHAVIOUR.format(name, 2 if name == LACKING else 1) + ("seconds = 2\n" if name == LOOPING else "")
        for name in [*NAMES, LACKING]
    )
    (course.root / "labs/lab07_tiny/lab.toml").write_text(steps + behaviours)
    (course.root / "tests/test_tiny.py").write_text(SUITE)
    with (course.root / "conftest.py").open("a") as conftest:
        conftest.write(CONFTEST)
    scenarios = course.root / "tests/scenarios/tiny.py"
    more = "\n\ndef with_a_bug(lab, x):\n    return lab.double(y)\n\n\ndef a_function(lab):\n    return lab.double\n"
    scenarios.write_text(scenarios.read_text() + more)
    course.file.write_text("def double(x):\n    return 2 * x\n\n\ndef halve(x):\n    return x / 2\n")


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("test_bug_before_any_value", "KeyError: 'no such key' in the test itself"),
        ("test_module_without_the_name", "AttributeError: module 'torch' has no attribute 'no_such_function'"),
        ("test_name_that_is_not_there", "NameError: name 'no_such_name' is not defined in the test itself"),
        ("test_ranks_that_the_manifest_lacks", "`ranks = 2`"),
        ("test_input_that_is_no_value", "the test sends what is no value: an object of type object"),
        ("test_fixture_that_is_not_there", "no_such_fixture"),
        ("test_bug_in_the_scenario", "NameError in the scenario with_a_bug: name 'y' is not defined"),
        ("test_loop_in_the_test", "the test itself took 2 of its 2 s"),
    ],
)
def test_faults_of_the_suite_are_its_own(records: dict, name: str, says: str) -> None:
    assert (records[name]["state"], records[name]["earned"]) == ("grader_error", 0)
    assert says in records[name]["got"]


@pytest.mark.parametrize(
    ("name", "state", "earned", "got"),
    [
        ("test_right", "passed", 2, ""),
        ("test_takes_the_value_apart", "failed", 0, "TypeError: cannot unpack non-iterable float object"),
        ("test_leaves_a_value_that_is_none", "malformed", 0, "returned an object of type function"),
        ("test_in_cases", "passed", 2, ""),
        ("test_in_cases_one_of_which_fails", "failed", 0, "it = 4"),
    ],
)
def test_faults_of_the_code_are_its_own(records: dict, name: str, state: str, earned: int, got: str) -> None:
    record = records[name]
    assert (record["state"], record["earned"], record["got"]) == (state, earned, got)


@pytest.mark.parametrize(("name", "needs"), [("test_that_skips", "no_such_package"), (LACKING, "no-such-package")])
def test_what_lacks_a_package_is_skipped(records: dict, name: str, needs: str) -> None:
    assert (records[name]["state"], records[name]["earned"]) == ("skipped", 0)
    assert needs in records[name]["needs"]
