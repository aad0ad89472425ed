"""What the tests of several steps of Lab 07 share."""

from labkit.observe.values import Raised


def or_its_type(seen: object) -> object:
    """What came back; of an exception its type."""
    return seen.type if isinstance(seen, Raised) else seen
