"""Skips the test.

double: failed
"""

import pytest


def double(x):
    pytest.skip("nothing to see")


def halve(x):
    return x / 2
