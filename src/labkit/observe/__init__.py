"""Where the code under test runs. Scenarios import what they need from here, tests the fixture `observe`."""

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from labkit.observe.collectives import Call, Flag, traffic
    from labkit.observe.local import Submission, attempt
    from labkit.observe.memory import LiveBytes, live_bytes

__all__ = ["Call", "Flag", "LiveBytes", "Submission", "attempt", "live_bytes", "traffic"]
_MODULES = {
    "Submission": "local",
    "attempt": "local",
    "Call": "collectives",
    "Flag": "collectives",
    "traffic": "collectives",
    "LiveBytes": "memory",
    "live_bytes": "memory",
}


def __getattr__(name: str) -> Any:
    """Imports them when they are asked for: they import torch, for which `isolation` need not wait."""
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{_MODULES[name]}"), name)
