"""What the tests of several steps of Lab 06 share."""

from labkit.judge.expect import expect
from labkit.observe.values import Raised


def expect_error(seen: object, what: str, type_name: str, why: str) -> None:
    """An exception of this type came back, and no value."""
    got = seen.type if isinstance(seen, Raised) else "no exception"
    expect(got, f"{what}: exception").equals(type_name, why)
