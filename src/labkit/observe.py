"""Runs a scenario on the code under test and hands back values; a graded test touches that code in no other way.

`Observer` runs it in this process. What comes back has been through `values.encode` and `decode` here as well: a test
sees the same on a student's machine as behind the wall of a sandbox. `Recorder` and `Replay` wrap an observer:
the proof records the solution's values and plays them back under another seed, where they must fail every test.
"""

import difflib
import inspect
from collections.abc import Callable
from types import ModuleType
from typing import Any, Protocol

from labkit import values
from labkit.loading import line_in
from labkit.values import NotAValue, Raised

Scenario = Callable[..., object]


class SubmissionRaised(Exception):
    """The code under test raised where it should have returned; carries the exception as a value."""

    def __init__(self, raised: Raised) -> None:
        super().__init__(f"{raised.type}: {raised.message}")
        self.raised = raised


class MissingName(Exception):
    """The lab file lacks a name that the lab asks for."""


class Lab:
    """The module under test, as scenarios see it: a missing name is asked for by its name."""

    def __init__(self, module: ModuleType) -> None:
        self._module = module

    def __getattr__(self, name: str) -> Any:
        if hasattr(self._module, name):
            return getattr(self._module, name)
        own = [key for key, value in vars(self._module).items() if inspect.isroutine(value) or inspect.isclass(value)]
        close = difflib.get_close_matches(name, own, n=1)
        hint = f"did you misname it? The file has {close[0]}" if close else "write it, or restore the stub"
        raise MissingName(f"the file has no {name}: {hint}")


def attempt(call: Callable[[], object]) -> object:
    """What `call` returns, or the exception that it raised as a value. A stub's exception passes through."""
    try:
        return call()
    except (NotImplementedError, MissingName):
        raise
    except Exception as error:
        return Raised(type(error).__name__, str(error))


class Observes(Protocol):
    def run(self, scenario: Scenario, inputs: dict[str, object]) -> object:
        """JSON-ready data of what the scenario returned, or of a `Raised`."""


class Observer:
    """Runs scenarios on `module` in this process, with every input tensor on `device`."""

    def __init__(self, module: ModuleType, device: str = "cpu") -> None:
        self.module, self.device = module, device

    def run(self, scenario: Scenario, inputs: dict[str, object]) -> object:
        inputs = {name: values.decode(values.encode(value), self.device) for name, value in inputs.items()}
        try:
            return values.encode(scenario(Lab(self.module), **inputs))
        except NotAValue as error:
            return values.encode(Raised("TypeError", f"returned {error}"))
        except KeyboardInterrupt:
            raise
        except BaseException as error:  # sys.exit and pytest.skip in a student's function are answers too
            where = line_in(self.module.__file__, error)
            return values.encode(Raised(type(error).__name__, str(error), where))


class Recorder:
    """Runs scenarios through `inner` and appends the data that came back to `record`."""

    def __init__(self, inner: Observes, record: list[object]) -> None:
        self.inner, self.record = inner, record

    def run(self, scenario: Scenario, inputs: dict[str, object]) -> object:
        self.record.append(self.inner.run(scenario, inputs))
        return self.record[-1]


class Replay:
    """Answers from a record, in order, whatever it is asked."""

    def __init__(self, record: list[object]) -> None:
        self.record = iter(record)

    def run(self, scenario: Scenario, inputs: dict[str, object]) -> object:
        return next(self.record, None)


def observe_with(observer: Observes) -> Callable[..., Any]:
    """The `observe` that tests call: `observe(scenario, name=input, ...)` gives the scenario's value.

    Raises:
        SubmissionRaised: the scenario raised, or returned something that is not a value.
    """

    def observe(scenario: Scenario, **inputs: object) -> Any:
        try:
            seen = values.decode(observer.run(scenario, inputs))
        except NotAValue as error:
            seen = Raised("TypeError", f"returned {error}")
        if isinstance(seen, Raised):
            raise SubmissionRaised(seen)
        return seen

    return observe
