"""Step 5 of Lab 06."""

from labkit.judge.expect import expect
from scenarios.build_amp import step_5 as step


def test_placeholder_5(observe, draw):
    """[write: placeholder]."""
    x = draw.normal(3)
    expect(observe(step.placeholder, x=x), "x").equals(x)
