"""Step 2 of Lab 06."""

from labkit.judge.expect import expect
from scenarios.build_amp import step_2 as step


def test_placeholder_2(observe, draw):
    """[write: placeholder]."""
    x = draw.normal(3)
    expect(observe(step.placeholder, x=x), "x").equals(x)
