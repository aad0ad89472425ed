"""Runs graded suites, by default Lab 04's, as a person would."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from page_checks import ROOT
from warm_python import ENVIRONMENT, python

SUITE = ROOT / "tests" / "test_mixed_precision.py"
OPTIONS = (
    "-q", "--no-header", "-p", "no:cacheprovider", "-p", "no:hypothesispytest",  # the last two only cost time
    "-W", "ignore::pytest.PytestAssertRewriteWarning",  # the plugin was imported before pytest could rewrite it
)  # fmt: skip
START = """
import sys
import pytest
from labkit.course.manifest import Lab
from labkit.judge import graded
{limits}
sys.exit(pytest.main(sys.argv[1:]))
"""


@dataclass(frozen=True)
class Ran:
    """An ended run of pytest: its exit code, and everything that it printed."""

    code: int
    out: str

    @property
    def errors(self) -> list[str]:
        """The lines that pytest prints for an error of usage."""
        return [line.removeprefix("ERROR: ") for line in self.out.splitlines() if line.startswith("ERROR: ")]


def grade(
    *options: object,
    suite: Path = SUITE,
    tests: tuple[str, ...] = (),
    timeout: float | None = None,
    loading: float | None = None,
    environment: Mapping[str, str] = ENVIRONMENT,
) -> Ran:
    """pytest with `options` on a suite, or on some of its `tests`.

    `timeout` (s) replaces the lab's limits of a test, `loading` (s) that of importing a lab file.
    """
    chosen = [f"{suite}::{test}" for test in tests] or [suite]
    limits = [f"Lab.seconds_for = lambda lab, behaviour: {timeout}"] if timeout else []
    limits += [f"graded.LOADING = {loading}"] if loading else []
    ran = python("-c", START.format(limits="\n".join(limits)), *OPTIONS, *chosen, *options, environment=environment)
    return Ran(ran.code, ran.out + ran.err)
