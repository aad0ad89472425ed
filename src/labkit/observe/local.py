"""Runs a scenario on the code under test and hands back values; a graded test touches that code in no other way.

`Observer` runs it in this process. What comes back has been through `values.encode` and `decode` here as well: a test
sees the same on a student's machine as behind the wall of a sandbox. `Recorder` and `Replay` wrap an observer:
the proof records the solution's values and plays them back under another seed, where they must fail every test.
"""

import difflib
import functools
import importlib
import inspect
import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any, Protocol

from labkit.course.loading import line_in, line_in_implementation, load_implementation
from labkit.observe import values
from labkit.observe.ranks import RANK_TIMEOUT, RankServer
from labkit.observe.values import NotAValue, Raised

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
        own = [
            key
            for key, value in vars(self._module).items()
            if (inspect.isroutine(value) or inspect.isclass(value)) and value.__module__ == self._module.__name__
        ]
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
        return Raised.of(error, line_in_implementation(error))


class Observes(Protocol):
    def run(self, scenario: Scenario, inputs: dict[str, object], ranks: int = 1) -> object:
        """JSON-ready data of what the scenario returned, or of a `Raised`; with several ranks, a list of theirs."""


class Observer:
    """Runs scenarios on `module` in this process, or on the ranks of `server`, with input tensors on `device`."""

    def __init__(self, module: ModuleType, device: str = "cpu", server: RankServer | None = None) -> None:
        self.module, self.device, self.server = module, device, server

    def run(self, scenario: Scenario, inputs: dict[str, object], ranks: int = 1) -> object:
        if ranks > 1:
            job = {"module": scenario.__module__, "scenario": scenario.__name__, "inputs": values.encode(inputs)}
            return [json.loads(answer) for answer in self.server.run(json.dumps(job), ranks)]
        inputs = {name: values.decode(values.encode(value), self.device) for name, value in inputs.items()}
        try:
            return values.encode(scenario(Lab(self.module), **inputs))
        except NotAValue as error:
            return values.encode(Raised("TypeError", f"returned {error}"))
        except KeyboardInterrupt:
            raise
        except BaseException as error:  # sys.exit and pytest.skip in a student's function are answers too
            return values.encode(Raised.of(error, line_in(self.module.__file__, error)))


@dataclass(frozen=True)
class RankWork:
    """What every rank does with a job: it loads the implementation itself, once, and runs the scenario on it."""

    path: Path
    overlay: Path | None
    device: str

    def __call__(self, job: str) -> str:
        asked = json.loads(job)
        scenario = getattr(importlib.import_module(asked["module"]), asked["scenario"])
        observer = Observer(_loaded_once(self.path, self.overlay), self.device)
        return json.dumps(observer.run(scenario, values.decode(asked["inputs"])))


_loaded_once = functools.cache(load_implementation)


class Recorder:
    """Runs scenarios through `inner` and appends the data that came back to `record`."""

    def __init__(self, inner: Observes, record: list[object]) -> None:
        self.inner, self.record = inner, record

    def run(self, scenario: Scenario, inputs: dict[str, object], ranks: int = 1) -> object:
        self.record.append(self.inner.run(scenario, inputs, ranks))
        return self.record[-1]


class Replay:
    """Answers from a record, in order, whatever it is asked."""

    def __init__(self, record: list[object]) -> None:
        self.record = iter(record)

    def run(self, scenario: Scenario, inputs: dict[str, object], ranks: int = 1) -> object:
        return next(self.record, [None] * ranks if ranks > 1 else None)


def observe_with(observer: Observes, observed: list[object] | None = None) -> Callable[..., Any]:
    """The `observe` that tests call: `observe(scenario, name=input, ...)` gives the scenario's value.

    `ranks=2` runs it on two processes of one torch.distributed group and gives the list of their values. What it gives
    is also appended to `observed`, if that is given.

    Raises:
        SubmissionRaised: the scenario raised, or returned something that is not a value.
    """

    def observe(scenario: Scenario, ranks: int = 1, **inputs: object) -> Any:
        try:
            seen = values.decode(observer.run(scenario, inputs, ranks))
        except NotAValue as error:
            seen = Raised("TypeError", f"returned {error}")
        if observed is not None:
            observed.append(seen)
        raised = [value for value in (seen if ranks > 1 else [seen]) if isinstance(value, Raised)]
        if raised:  # a rank that only waited for another one is not the cause
            raise SubmissionRaised(next((value for value in raised if value.type != RANK_TIMEOUT), raised[0]))
        return seen

    return observe
