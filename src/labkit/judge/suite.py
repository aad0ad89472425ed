"""Runs a lab's graded suite in this process, quickly: for those who run it often, in processes that they forked."""

from collections.abc import Sequence

import pytest

from labkit.course.manifest import Lab

# What such a run does without: caches, plugins and rewritten asserts that a graded suite does not use.
UNUSED = ("cacheprovider", "hypothesispytest", "unraisableexception", "xdist", "xdist.looponfail")
LEAN = ("-q", *(f"-pno:{plugin}" for plugin in UNUSED), "--assert=plain")


def import_once(lab: Lab) -> None:
    """Imports what a run of the lab's suite needs, so that the children of this process need not."""
    import torch._dynamo  # the first optimizer would import it: 0.7 s in every child

    import labkit.judge.plugin
    import labkit.toolbox.datasets
    import labkit.toolbox.models  # noqa: F401  (what a lab file imports)

    if any(step.ranks > 1 for step in lab.steps):
        import torch.distributed.fsdp  # noqa: F401  (what the server of ranks imports)


def run_suite(
    lab: Lab, options: Sequence[str], tests: Sequence[str] | None = None, plugins: Sequence[object] = ()
) -> int:
    """Runs the tests of these names, or all, with pytest's `options` and the suite's; gives pytest's exit code."""
    suite = str(lab.paths.suite)
    chosen = [suite] if tests is None else [f"{suite}::{test}" for test in tests]
    return int(pytest.main([*chosen, *options, *LEAN], plugins=list(plugins)))
