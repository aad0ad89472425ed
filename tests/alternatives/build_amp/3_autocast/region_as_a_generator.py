"""a region is a function with contextlib.contextmanager."""

from contextlib import contextmanager

_Region = Autocast


@contextmanager
def Autocast(dtype, enabled=True):
    with _Region(dtype, enabled):
        yield
