"""Runs a lab's graded suite in this process, quickly: for those who run it often, in processes that they forked."""

from collections.abc import Sequence

import pytest

from labkit.course.garbage import none_collected
from labkit.course.manifest import Lab
from labkit.observe.ranks import import_for_labs, import_for_ranks

# What such a run does without: caches, plugins and rewritten asserts that a graded suite does not use.
UNUSED = ("cacheprovider", "hypothesispytest", "logging", "unraisableexception", "xdist", "xdist.looponfail")
LEAN = ("-q", *(f"-pno:{plugin}" for plugin in UNUSED), "--assert=plain")


def import_once(lab: Lab) -> None:
    """Imports what a run of the lab's suite needs, so that the children of this process need not."""
    with none_collected():
        import labkit.judge.plugin  # noqa: F401

        (import_for_ranks if any(step.ranks > 1 for step in lab.steps) else import_for_labs)()


def run_suite(lab: Lab, options: Sequence[str], plugins: Sequence[object] = ()) -> int:
    """Runs the lab's tests with pytest's `options` and the suite's; gives pytest's exit code."""
    return int(pytest.main([str(lab.paths.suite), *options, *LEAN], plugins=list(plugins)))
