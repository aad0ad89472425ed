"""Runs a scenario on the code under test and hands back values; a graded test touches that code in no other way.

`Observer` runs it in this process, or on ranks. What comes back has been through `values.encode` and `decode` here as
well: a test sees the same on a student's machine as behind the wall of a sandbox. `Recorder` and `Replay` wrap an
observer: the proof records the solution's values and plays them back under another seed, where they must fail every
test.
"""

import difflib
import functools
import importlib
import inspect
import time
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any, Protocol

from labkit.course.loading import line_in, line_in_implementation, load_implementation
from labkit.observe import values
from labkit.observe.answer import Answer, Ending, joined
from labkit.observe.deadline import OutOfTime
from labkit.observe.rank_group import Shape
from labkit.observe.ranks import DEADLINE, RankServer
from labkit.observe.values import Json, NotAValue, Raised

Scenario = Callable[..., object]


class NoValue(Exception):
    """`observe` has no value for the test: the scenario ended otherwise, as `answer` says."""

    def __init__(self, answer: Answer) -> None:
        super().__init__(str(answer.raised or answer.says))
        self.answer = answer


class MissingName(Exception):
    """The lab file lacks a name that the lab asks for."""


class Submission:
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
    """A backend of `observe`."""

    def run(self, scenario: Scenario, inputs: dict[str, object], ranks: int = 1) -> Answer:
        """How the scenario ended on the code under test; with several ranks, the one answer of all."""


@dataclass(frozen=True)
class Observer:
    """Runs scenarios on `module` in this process with input tensors on `device`; or on ranks of `server`, whose
    `group` is "joined" or "bare", with `seconds` for each run. The manifest allows `most_ranks` to this test.

    `right`: the module is, so that what a scenario raises is the scenario's own fault.
    """

    module: ModuleType
    device: str = "cpu"
    server: RankServer | None = None
    group: str = "joined"
    most_ranks: int = 1
    seconds: float = DEADLINE
    right: bool = False

    def run(self, scenario: Scenario, inputs: dict[str, object], ranks: int = 1) -> Answer:
        if ranks > self.most_ranks or (ranks > 1 and self.server is None):
            return too_many_ranks(ranks)
        try:
            sent = values.encode(inputs)
        except NotAValue as error:
            return Answer(ending=Ending.MACHINERY, says=f"the test sends what is no value: {error}")
        if ranks > 1 and self.server is not None:
            job = [scenario.__module__, scenario.__name__, sent]
            try:
                return joined(self.server.run(job, Shape(ranks, self.group), self.seconds))
            except OutOfTime as error:  # of the test, which has run on ranks several times
                return Answer.of_error(error)
        start = time.monotonic()
        return self.here(scenario, sent).but(seconds=time.monotonic() - start)

    def here(self, scenario: Scenario, sent: Json) -> Answer:
        """The answer of this process to encoded inputs."""
        inputs = values.decode(sent, self.device)
        try:
            return Answer.decode(values.encode(scenario(Submission(self.module), **inputs)))
        except NotAValue as error:
            return Answer.malformed(error)
        except KeyboardInterrupt:
            raise
        except BaseException as error:  # sys.exit and pytest.skip in a student's function are answers too
            if self.right or _is_bug_of(scenario, error):
                says = f"{type(error).__name__} in the scenario {scenario.__name__}: {error}"
                file = str(inspect.getsourcefile(scenario))
                return Answer(ending=Ending.MACHINERY, says=f"{file}, {line_in(file, error).partition(':')[0]}: {says}")
            return Answer.of_error(error, line_in(str(self.module.__file__), error))


def too_many_ranks(ranks: int) -> Answer:
    """The answer to a test that asks for more ranks than its step has."""
    says = f"observe(ranks={ranks}) in a step whose manifest has no `ranks = {ranks}`: add that line to the step"
    return Answer(ending=Ending.MACHINERY, says=says)


def _is_bug_of(scenario: Scenario, error: BaseException) -> bool:
    """Whether the scenario itself names or imports what there is not; other errors may come of what it was given."""
    frames = traceback.extract_tb(error.__traceback__)
    return isinstance(error, NameError | ImportError) and frames[-1].filename == inspect.getsourcefile(scenario)


@dataclass(frozen=True)
class RankWork:
    """What every rank does with a job: it loads the implementation itself, once, and runs the scenario on it."""

    path: Path
    overlay: Path | None
    device: str
    builds_on: tuple[str, ...] = ()

    def __call__(self, job: list) -> Answer:
        module, name, sent = job
        scenario = getattr(importlib.import_module(module), name)
        return Observer(self.load(), self.device).here(scenario, sent)

    def load(self) -> ModuleType:
        return _loaded_once(self.path, self.overlay, self.builds_on)


_loaded_once = functools.cache(load_implementation)


class Recorder:
    """Runs scenarios through `inner` and appends the data that came back to `record`."""

    def __init__(self, inner: Observes, record: list[object]) -> None:
        self.inner, self.record = inner, record

    def run(self, scenario: Scenario, inputs: dict[str, object], ranks: int = 1) -> Answer:
        answer = self.inner.run(scenario, inputs, ranks)
        nothing = Raised(str(answer.ending), answer.says, answer.where)
        value = answer.value if answer.ending == Ending.RETURNED else answer.raised or nothing
        self.record.append(values.encode(value))
        return answer


class Replay:
    """Answers from a record, in order, whatever it is asked."""

    def __init__(self, record: list[object]) -> None:
        self.record = iter(record)

    def run(self, scenario: Scenario, inputs: dict[str, object], ranks: int = 1) -> Answer:
        return Answer.decode(next(self.record, [None] * ranks if ranks > 1 else None))


def observe_with(observer: Observes, answers: list[Answer] | None = None) -> Callable[..., Any]:
    """The `observe` that tests call: `observe(scenario, name=input, ...)` gives the scenario's value.

    `ranks=2` runs it on two processes of one torch.distributed group and gives the list of their values. Every answer
    is also appended to `answers`, if that is given.

    Raises:
        NoValue: the scenario ended otherwise than by returning a value.
    """
    answers = [] if answers is None else answers

    def observe(scenario: Scenario, ranks: int = 1, **inputs: object) -> Any:
        answer = observer.run(scenario, inputs, ranks)
        answers.append(answer)
        if answer.ending != Ending.RETURNED:
            raise NoValue(answer)
        return answer.value

    return observe
