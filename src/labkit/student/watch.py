"""`make watch-lab04`: on every save the current step is tested, and the verdict is there a second later."""

import os
import select
import sys
import time
from collections.abc import Iterable, Iterator
from datetime import datetime

from labkit.course import screen
from labkit.course.errors import LabError
from labkit.course.files import shown
from labkit.course.manifest import Lab
from labkit.course.records import Record
from labkit.course.screen import Line
from labkit.course.site import address
from labkit.judge import progress
from labkit.judge.lines import failure_lines
from labkit.student import events, hints, keys, status
from labkit.student.events import Deleted, Ended, Event, Overdue, Pressed, Ready, Said, Saved
from labkit.student.reset import reset
from labkit.student.verdict import Run, end_lines
from labkit.student.warm import Worker

TICK = 0.05  # seconds between two looks at the file
PAUSE = 0.3  # seconds from the question to a yes; one that comes sooner was typed for another window
NAMED = 5.0  # seconds after which the footer names the running test

KEYS, KEYS_SHORT = "h hint  n next step  a all  r reset  q quit", "h n a r q"
RESET = "reset to the skeleton? Your file is kept in backups/. y yes, any other key no"
RESET_SHORT = "reset, file kept in backups/? y yes"
ALL = 0  # the step of a run of all steps


def watch(lab: Lab, step: int | None, limit: float | None = None) -> None:
    """Watches the student's file until `q`, Ctrl-C or the end of the terminal; `limit` (s) replaces the manifest's.

    Raises:
        LabError: this system cannot fork, the lab has no such step, or the worker has died.
    """
    if not hasattr(os, "fork"):
        raise LabError(f"watch needs a system that can fork (Linux, macOS, WSL); here: make test-{lab.name}")
    if step is not None and step not in [one.number for one in lab.steps]:
        raise LabError(f"{lab.name} has no step {step}; it has 1 to {len(lab.steps)}")
    worker = Worker(lab)
    try:
        with keys.Keys() as pressed:
            Watch(lab, step, limit, worker, pressed).loop()
    except KeyboardInterrupt:
        pass
    finally:
        worker.close()


class Watch:
    """The loop: takes events one at a time, and keeps the footer.

    `wanted` is the step of the next run, `run` the one that goes on. `walking` goes past steps that are passed already,
    `asked` is when the question was put that waits for an answer.
    """

    def __init__(self, lab: Lab, step: int | None, limit: float | None, worker: Worker, pressed: keys.Keys) -> None:
        self.lab, self.limit, self.worker, self.keys = lab, limit, worker, pressed
        self.footer = keys.Footer()
        self.saves = events.Saves(lab.paths.student)
        self.walking = step is None
        self.step = self.wanted = step or self._first_open()
        self.asked: float | None = None
        self.run: Run | None = None
        self.number = 0

    def loop(self) -> None:
        how = "Ctrl-C ends it." if not self.keys.on else "" if self.footer.on else f"Keys: {KEYS}"
        self._say([Line(f"Watching {self._name()}; every save is tested. {how}".strip(), "", 2)])
        try:
            while True:
                self.footer.set(*self._foot())
                for event in self._events():
                    if self._take(event):
                        return
        finally:
            self.footer.clear()

    def _events(self) -> Iterator[Event]:
        """What has happened since the last call, or happens within a tick."""
        sources: list[Worker | keys.Keys] = [self.worker, *([self.keys] if self.keys.on else [])]
        ready, _, _ = select.select(sources, [], [], TICK)
        for event in self.worker.events() if self.worker in ready else []:
            yield events.of_worker(event)
        for key in self.keys.read() if self.keys in ready else "":
            yield Pressed(key)
        if self.worker.ready:  # a save before that is in the first run
            yield from self.saves.look()
        if self.run is not None and self.run.overdue:
            yield Overdue()

    def _take(self, event: Event) -> bool:
        """Reacts to one event; whether it was the last."""
        match event:
            case Pressed("q" | keys.INTERRUPT | keys.END):
                return True
            case Pressed(key) if self.asked is not None:
                self._answer(key.lower(), self.asked)
            case Pressed("h" | "H"):
                self._say(hints.next_hint(self.lab, self.step, "h"))
            case Pressed("n" | "N"):
                self.walking, self.step = False, self._next_step()
                self._start(self.step)
            case Pressed("a" | "A"):
                self.walking = False
                self._start(ALL)
            case Pressed("r" | "R"):
                self._ask()
            case Saved(at):
                self._start(self.wanted, at)
            case Deleted():
                self._tell_gone()
            case Ready():
                self._start(self.wanted)
            case Said(number, said) if (run := self._current(number)) is not None:
                self._show(run, run.take(said))
                self._stop_after_timeout(run)
            case Ended(number, said) if (run := self._current(number)) is not None:
                self._end(run, said)
            case Overdue() if self.run is not None:
                self.run.hung = True
                self._stop(self.run)
        return False

    # Runs -------------------------------------------------------------------------------------------------------------

    def _start(self, step: int, saved: float | None = None) -> None:
        """Starts a run, or keeps in mind which one is wanted until the worker is ready.

        A save while all steps are tested, or are about to be, tests all of them again.
        """
        self.wanted = step
        if not self.worker.ready:
            return
        try:
            there = progress.written(self.lab) is not None
        except LabError as error:
            return self._say([Line(str(error), "bold red", 2)])
        if not there:
            return self._tell_gone()
        self.number += 1
        self.run = Run(self.lab, self.number, step, saved or time.monotonic(), self.limit)
        self.worker.run(self.number, step)

    def _current(self, number: int) -> Run | None:
        """The run that goes on, if that is its number; a later save may have ended it."""
        return self.run if self.run is not None and self.run.number == number else None

    def _show(self, run: Run, failed: Record | None) -> None:
        if failed is not None:
            self._say([*self._head(run), *failure_lines(failed, page=address(failed.read, self.lab.paths.root))])

    def _stop_after_timeout(self, run: Run) -> None:
        """The tests after one that gave no answer might wait as long."""
        if run.records and run.records[-1].state == "timeout":
            self._stop(run)

    def _stop(self, run: Run) -> None:
        if not run.stopped:
            run.stopped = True
            self.worker.stop(run.number)

    def _end(self, run: Run, event: dict) -> None:
        self._show(run, run.close(event))
        self.run, self.wanted = None, self.step
        if self.walking and run.passed and run.step < len(self.lab.steps):
            self._say([Line(f"Step {run.step} is passed already", "green")])
            self.step += 1
            self._start(self.step)
            return
        self.walking = False
        self._say([*self._head(run), *end_lines(run, event, self.keys.on), *self._onward(run)])

    def _onward(self, run: Run) -> list[Line]:
        """After a pass: the next step, or that there is none."""
        if not run.passed:
            return []
        stand = status.known(self.lab)
        left = [step for step in self.lab.steps if not stand.passed(step.number)]
        if not left:
            return status.next_lines(stand)[run.step == ALL :]  # that all passed has been said already
        number = next((step.number for step in left if step.number > self.step), left[0].number)
        way = "n goes" if self.keys.on else f"make watch-{self.lab.name} STEP={number} goes"
        return [Line(f"{way} on to step {number}: {self.lab.step(number).title}", "bold", 2)]

    def _next_step(self) -> int:
        """The step after this one that is not passed, as far as that is known; else simply the next."""
        stand = status.known(self.lab)
        after = [step.number for step in self.lab.steps if step.number > self.step]
        around = [*after, *(step.number for step in self.lab.steps if step.number < self.step)]
        return next((number for number in around if not stand.passed(number)), (after or [1])[0])

    def _first_open(self) -> int:
        stand = status.known(self.lab)
        return next((step.number for step in self.lab.steps if not stand.passed(step.number)), 1)

    # The question -----------------------------------------------------------------------------------------------------

    def _ask(self) -> None:
        self.asked = time.monotonic()
        if not self.footer.on:
            self._say([Line(RESET, "", 2)])

    def _answer(self, key: str, asked: float) -> None:
        sure, self.asked = time.monotonic() - asked >= PAUSE, None
        if key != "y" or not sure:
            return
        try:
            said = reset(self.lab)
        except LabError as error:
            said = [str(error)]
        self._say([Line(text, "", 9) for text in said])
        self.step = self.wanted = self._first_open()

    # What is shown ----------------------------------------------------------------------------------------------------

    def _name(self) -> str:
        return shown(self.lab.paths.student, self.lab.paths.root)

    def _tell_gone(self) -> None:
        way = "press r or type make" if self.keys.on else "type make"
        text = f"{self._name()} is not there. Save it again, or {way} reset-{self.lab.name}: the skeleton in its place."
        self._say([Line(text, "bold red", 2)])

    def _head(self, run: Run) -> list[Line]:
        """A rule above what is said of a run, once."""
        if run.headed:
            return []
        run.headed = True
        return [Line(""), Line(f"--- {datetime.now():%H:%M:%S}  {run.title()} ".ljust(screen.width() - 1, "-"), "bold")]

    def _foot(self) -> tuple[str, ...]:
        """The footer, and shorter ones for a narrow terminal."""
        if self.asked is not None:
            return RESET, RESET_SHORT
        if not self.worker.ready:
            return ("warming up, some seconds (once)",)
        state, longer = f"step {self.step}", ""
        if self.run is not None:
            seconds = int(self.run.seconds)
            state = f"testing, {seconds} s" if seconds else "testing"
            longer = f"{state}, {self.run.testing}:  {KEYS_SHORT}" if seconds >= NAMED else ""
        return *([longer] if longer else []), f"{state}:  {KEYS}", f"{state}: {KEYS_SHORT}"

    def _say(self, lines: Iterable[Line]) -> None:
        try:
            self.footer.around(lambda: screen.show(lines))
        except OSError:
            sys.exit(0)  # the reader has gone
