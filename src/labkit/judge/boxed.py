"""What judges a submission that nobody trusts: its tests run here, and their scenarios in a sandbox."""

import math
import time
from collections.abc import Iterable
from dataclasses import dataclass

from labkit.course.errors import LabError
from labkit.course.manifest import Behaviour, Lab
from labkit.course.records import OVER, Record, State
from labkit.judge.limits import HANGING, LATER, REST_NOT_RUN, RUN_LIMIT
from labkit.observe.answer import Answer, Ending
from labkit.observe.isolation import Level, level_of
from labkit.observe.local import Observes, Scenario
from labkit.observe.rank_group import Shape
from labkit.observe.sandbox import Sandbox, Sandboxed


def level_for(name: str, device: str) -> Level:
    """The level that the option asks for, on this device.

    Raises:
        LabError: it does not work here.
    """
    if device == "cuda" and name not in (Level.NONE, Level.LIMITS):
        raise LabError(
            f"--isolation {name}: a GPU's driver works in no sandbox; give --isolation limits, or no --device"
        )
    return level_of(name)


@dataclass(frozen=True)
class Given:
    """The same answer to whatever is asked."""

    answer: Answer

    def run(self, scenario: Scenario, inputs: dict[str, object], ranks: int = 1) -> Answer:
        return self.answer


class Boxes:
    """The sandboxes of a session, one for each lab, and how long its tests may go on: `limit` seconds, and what
    manifests give to some of them.
    """

    def __init__(self, level: Level, limit: float = RUN_LIMIT) -> None:
        self.level, self.limit = level, limit
        self.sandboxes: dict[str, Sandbox] = {}  # by the lab's stem
        self.hanging = 0.0  # seconds of tests that gave no answer
        self.end = math.inf

    def load(self, sandboxes: Iterable[Sandbox], own: float) -> None:
        """Imports the submission in each of them. `own`: the seconds that manifests give to tests.

        Raises:
            LabError: it cannot be imported.
        """
        self.limit += own
        self.end = time.monotonic() + self.limit
        for sandbox in sandboxes:
            self.sandboxes[sandbox.lab.stem] = sandbox
            sandbox.load()

    def observer_for(self, lab: Lab, behaviour: Behaviour, test: str) -> Observes:
        sandbox, step = self.sandboxes[lab.stem], lab.step(behaviour.step)
        if self.hanging >= HANGING:
            return Given(Answer(ending=Ending.TIMEOUT, says=REST_NOT_RUN))
        if time.monotonic() > self.end:
            return Given(self._over(sandbox))
        limit, seconds = lab.limit_of(behaviour), lab.seconds_for(behaviour)
        if self.hanging and lab.own_seconds(behaviour) is None:
            limit, seconds = min(limit, LATER), min(seconds, LATER)
        return Sandboxed(sandbox, test, limit, seconds, Shape(lab.ranks_for(behaviour), step.group))

    def take(self, record: Record) -> None:
        if record.state == State.TIMEOUT:
            self.hanging += record.seconds

    def close(self) -> None:
        for sandbox in self.sandboxes.values():
            sandbox.close()
        self.sandboxes.clear()

    def _over(self, sandbox: Sandbox) -> Answer:
        """The run has reached its limit: where the submission has not made it slow, the machine is."""
        says = f"{OVER} of {self.limit:g} s"
        if sandbox.loading > self.limit / 2:
            says += f", {sandbox.loading:.0f} s of it for importing the file, which every test does"
        elif sandbox.loading + sandbox.answering <= self.limit / 2 and not self.hanging:
            return Answer(ending=Ending.MACHINERY, says=says)
        return Answer(ending=Ending.TIMEOUT, says=says)
