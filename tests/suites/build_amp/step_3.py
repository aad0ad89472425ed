"""Step 3 of Lab 06."""

from labkit.judge.expect import expect
from scenarios.build_amp import step_3 as step


def test_placeholder_3(observe, draw):
    """[write: placeholder]."""
    x = draw.normal(3)
    expect(observe(step.placeholder, x=x), "x").equals(x)
