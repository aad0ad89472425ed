"""Step 4 of Lab 06."""

from labkit.judge.expect import expect
from scenarios.build_amp import step_4 as step


def test_placeholder_4(observe, draw):
    """[write: placeholder]."""
    x = draw.normal(3)
    expect(observe(step.placeholder, x=x), "x").equals(x)
