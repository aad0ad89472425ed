"""Scenarios of step 5 of Lab 06."""

from torch import Tensor

from labkit.observe import Submission


def placeholder(lab: Submission, x: Tensor) -> Tensor:
    """[write: placeholder]."""
    return x
