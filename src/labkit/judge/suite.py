"""Runs a lab's graded suite in this process, quickly: for those who run it often, in processes that they forked."""

from collections.abc import Sequence

import pytest

from labkit.course.manifest import ROOT, Lab

# What such a run does without: caches, plugins and rewritten asserts that a graded suite does not use.
UNUSED = ("cacheprovider", "hypothesispytest", "unraisableexception", "xdist", "xdist.looponfail")
LEAN = ("-q", *(f"-pno:{plugin}" for plugin in UNUSED), "--assert=plain")


def import_once() -> None:
    """Imports what a run of a suite needs, so that the children of this process need not."""
    import torch._dynamo  # noqa: F401  (the first optimizer would import it: 0.7 s in every child)

    import labkit.judge.plugin
    import labkit.toolbox.datasets
    import labkit.toolbox.models  # noqa: F401  (what a lab file imports)


def run_suite(
    lab: Lab, options: Sequence[str], tests: Sequence[str] | None = None, plugins: Sequence[object] = ()
) -> int:
    """Runs the tests of these names, or all, with pytest's `options` and the suite's; gives pytest's exit code."""
    suite = str(ROOT / "tests" / f"test_{lab.stem}.py")
    chosen = [suite] if tests is None else [f"{suite}::{test}" for test in tests]
    return int(pytest.main([*chosen, *options, *LEAN], plugins=list(plugins)))
