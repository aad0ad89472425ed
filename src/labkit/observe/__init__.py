"""Where the code under test runs. Scenarios import what they need from here, tests the fixture `observe`."""

from labkit.observe.local import Submission, attempt
from labkit.observe.traffic import Call, traffic

__all__ = ["Call", "Submission", "attempt", "traffic"]
