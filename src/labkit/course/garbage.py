"""Python's collector of garbage, which looks through all objects again and again while a large package is imported."""

import gc
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def none_collected() -> Iterator[None]:
    """Inside the block nothing is collected, and what is there at its end never is: of what is imported, all stays."""
    collects = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        if collects:
            gc.enable()
