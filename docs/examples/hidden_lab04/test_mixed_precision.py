"""The hidden tests of Lab 04. A test draws inputs, runs a scenario, and judges the values that come back."""

import torch

from labkit.judge.expect import Tolerance, expect
from scenarios.mixed_precision import hidden

ROUNDED = Tolerance("computed in float32, then rounded once", ulps=1.01, atol=2e-6)


def test_softmax_of_masked_logits(observe, draw):
    """A logit of -inf gets the probability 0, and the others share the rest."""
    x, masked = draw.normal(4, 12, dtype=torch.bfloat16), draw.pattern(12)
    seen = observe(hidden.masked_softmax, x=x, masked=masked)
    expected = torch.softmax(x.double().masked_fill(torch.tensor(masked), -torch.inf), dim=-1)
    why = "the largest logit is subtracted before exp; the smallest or the mean would be -inf"
    expect(seen, "fp32_softmax(x)").close_to(expected, ROUNDED, why, dtype=torch.bfloat16)
