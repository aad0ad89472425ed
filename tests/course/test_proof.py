"""The graded suites are proven: known mistakes are caught, right answers are accepted, a replay wins nothing."""

import os
import subprocess
import sys

import pytest

from labkit.course import manifest
from labkit.course.manifest import ROOT, Lab

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="the proof forks; this system cannot")

LABS = manifest.load_all()


@pytest.mark.timeout(1200)
@pytest.mark.parametrize("lab", LABS, ids=lambda lab: lab.name)
def test_suite_is_proven(lab: Lab):
    """In a process of its own: a parent that has computed with torch must not fork."""
    command = [sys.executable, "-m", "labkit", "proof", lab.name, "--check"]
    environment = os.environ | {"PYTHONPATH": str(ROOT / "src")}
    result = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, env=environment)
    assert result.returncode == 0, result.stdout[-5000:] + result.stderr[-5000:]
    assert "The suite is proven." in result.stdout


@pytest.mark.parametrize("lab", LABS, ids=lambda lab: lab.name)
def test_banks_are_large_enough(lab: Lab):
    from labkit.proof.prove import overlays

    mistakes, alternatives = overlays(lab, "mistake"), overlays(lab, "alternative")
    assert len(mistakes) >= len(lab.behaviours)
    assert len(alternatives) >= len(lab.steps)
    says = [mistake.says for mistake in mistakes]
    assert len(set(says)) == len(says), "two mistakes have the same sentence"


@pytest.mark.parametrize(
    ("kind", "tests", "steps"),
    [
        ("mistake", "own", {2}),
        ("alternative", "own", {2, 3, 4, 5}),
        ("alternative", "known", {2, 3, 4, 5}),
        ("mistake", "every", {1, 2, 3, 4, 5}),
    ],
)
def test_an_answer_meets_what_its_functions_may_change(kind: str, tests: str, steps: set[int]) -> None:
    from labkit.proof.prove import Answer, with_tests

    lab = manifest.find("lab04")
    answer = with_tests(lab, Answer("name", kind, "says", frozenset({2}), ()), tests)
    every = [one.id for one in lab.behaviours]
    assert {one.step for one in lab.behaviours if one.id in (answer.tests or every)} == steps
