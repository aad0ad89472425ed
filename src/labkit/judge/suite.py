"""Runs a lab's graded suite in this process, quickly: for those who run it often, in processes that they forked."""

from collections.abc import Sequence

import pytest

from labkit.manifest import ROOT, Lab

# What such a run does without: caches, plugins and rewritten asserts that a graded suite does not use.
UNUSED = ("cacheprovider", "hypothesispytest", "unraisableexception", "xdist", "xdist.looponfail")
LEAN = ("-q", *(f"-pno:{plugin}" for plugin in UNUSED), "--assert=plain")


def run_suite(
    lab: Lab, options: Sequence[str], tests: Sequence[str] | None = None, plugins: Sequence[object] = ()
) -> int:
    """Runs the tests of these names, or all, with pytest's `options` and the suite's; gives pytest's exit code."""
    suite = str(ROOT / "tests" / f"test_{lab.stem}.py")
    chosen = [suite] if tests is None else [f"{suite}::{test}" for test in tests]
    return int(pytest.main([*chosen, *options, *LEAN], plugins=list(plugins)))
