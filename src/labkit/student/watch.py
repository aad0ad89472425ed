"""`make watch-lab04`: on every save the current step is tested, and the verdict stands here a second later."""

import os
import select
import sys
import time
from collections.abc import Iterable
from datetime import datetime
from pathlib import Path

from labkit.course import screen
from labkit.course.errors import LabError
from labkit.course.files import shown
from labkit.course.manifest import ROOT, Lab
from labkit.course.screen import Line
from labkit.judge import progress
from labkit.student import hints, keys, status
from labkit.student.reset import reset
from labkit.student.verdict import Run, end_lines, failure_lines
from labkit.student.warm import Worker

LIMIT = 10.0  # seconds without an answer after which a test counts as hanging; the slowest takes about two
LIMIT_OF_RANKS = 45.0  # the same where many processes may wait for each other: they have a deadline of their own
TICK = 0.05  # seconds between two looks at the file
SETTLED = 0.04  # seconds for which a saved file must rest: some editors empty it before they write
GONE = 0.5  # seconds after which a file that is not there is gone: some editors write another and rename it

KEYS, KEYS_SHORT = "h hint  n next step  a all  r reset  q quit", "h n a r q"
RESET = "reset to the skeleton? Your file is kept in backups/. y yes, any other key no"
RESET_SHORT = "reset, file kept in backups/? y yes"
PAUSE = 0.3  # seconds from the question to a yes; one that comes sooner was typed for another window


def watch(lab: Lab, step: int | None, limit: float = LIMIT, root: Path = ROOT) -> None:
    """Watches the student's file until `q`, Ctrl-C or the end of the terminal.

    Raises:
        LabError: this system cannot fork, the lab has no such step, or the worker has died.
    """
    if not hasattr(os, "fork"):
        raise LabError(f"watch needs a system that can fork (Linux, macOS, WSL); here: make test-{lab.name}")
    if step is not None and step not in [one.number for one in lab.steps]:
        raise LabError(f"{lab.name} has no step {step}; it has 1 to {len(lab.steps)}")
    worker = Worker(lab, root)
    try:
        with keys.Keys() as pressed:
            Watch(lab, step, limit, root, worker, pressed).loop()
    except KeyboardInterrupt:
        pass
    finally:
        worker.close()


class Watch:
    """The loop: looks at the file, at the worker and at the keyboard, and keeps the footer."""

    def __init__(
        self, lab: Lab, step: int | None, limit: float, root: Path, worker: Worker, pressed: keys.Keys
    ) -> None:
        self.lab, self.root, self.limit, self.worker, self.keys = lab, root, limit, worker, pressed
        self.file = lab.paths.student
        self.footer = keys.Footer()
        self.walking = step is None  # past what is passed already, up to the first step that is not
        self.step = step or self._first_open()
        self.ready = self.told_gone = self.hung = self.headed = False
        self.asked: float | None = None  # when the question was put that waits for an answer
        self.seen = self.last = self._stamp()
        self.since = time.monotonic()
        self.run: Run | None = None
        self.number = 0

    def loop(self) -> None:
        name = shown(self.file, self.root)
        how = "Ctrl-C ends it." if not self.keys.on else "" if self.footer.on else f"Keys: {KEYS}"
        self._say([Line(f"Watching {name}; every save is tested. {how}".strip(), "", 2)])
        try:
            self._until_quit()
        finally:
            self.footer.clear()

    def _until_quit(self) -> None:
        while True:
            self.footer.set(*self._foot())
            sources = [self.worker, *([self.keys] if self.keys.on else [])]
            ready, _, _ = select.select(sources, [], [], TICK)
            for event in self.worker.events() if self.worker in ready else []:
                self._hear(event)
            for key in self.keys.read() if self.keys in ready else "":
                if key in ("q", keys.INTERRUPT, keys.END):
                    return
                self._press(key.lower())
            self._look()
            self._wait_no_longer()

    def _look(self) -> None:
        """Starts a run when the file was saved and has come to rest."""
        now, stamp = time.monotonic(), self._stamp()
        if stamp != self.last:
            self.last, self.since = stamp, now
        if not self.ready or stamp == self.seen or now - self.since < (SETTLED if stamp else GONE):
            return
        self.seen = stamp
        if stamp:
            self.told_gone = False
            self._start(self.step, self.since)
        else:
            self._tell_gone()

    def _start(self, step: int, saved: float | None = None) -> None:
        try:
            there = progress.written(self.lab) is not None
        except LabError as error:
            self._say([Line(str(error), "bold red", 2)])
            return
        if not there:
            self._tell_gone()
            return
        self.number += 1
        self.hung = self.headed = False
        self.run = Run(self.lab, self.root, self.number, step)
        self.run.saved = saved or self.run.saved
        self.worker.run(self.number, step)

    def _hear(self, event: dict) -> None:
        if "ready" in event:
            self.ready, self.seen = True, self._stamp()
            self._start(self.step)
            return
        if self.run is None or event.get("run") != self.run.number:
            return  # of a run that a later save has ended
        failed = self.run.take(event)
        if failed is not None:
            self._say([*self._head(), *failure_lines(failed)])
        if "end" in event:
            self._end(event)

    def _end(self, event: dict) -> None:
        run, self.run = self.run, None
        if self.walking and run.passed and run.step < len(self.lab.steps):
            self._say([Line(f"Step {run.step} is passed already", "green")])
            self.step += 1
            self._start(self.step)
            return
        self.walking = False
        self._say([*self._head(run), *end_lines(run, event, self.hung, self.keys.on), *self._onward(run)])

    def _onward(self, run: Run) -> list[Line]:
        """After a pass: the next step, or that there is none."""
        if not run.passed:
            return []
        stand = status.known(self.lab, self.root)
        left = [step for step in self.lab.steps if not stand.passed(step.number)]
        if not left:
            return status.next_lines(stand)[run.step == 0 :]  # that all passed has been said already
        number = next((step.number for step in left if step.number > self.step), left[0].number)
        way = "n goes" if self.keys.on else f"make watch-{self.lab.name} STEP={number} goes"
        return [Line(f"{way} on to step {number}: {self.lab.step(number).title}", "bold")]

    def _press(self, key: str) -> None:
        if self.asked is not None:
            sure, self.asked = time.monotonic() - self.asked >= PAUSE, None
            if key == "y" and sure:
                self._say([Line(text) for text in self._reset()])
                self.step = self._first_open()
        elif key == "h":
            self._say(hints.next_hint(self.lab, self.step, "h", self.root))
        elif key == "n":
            self.walking, self.step = False, self._next_step()
            self._begin(self.step)
        elif key == "a":
            self.walking = False
            self._begin(0)
        elif key == "r":
            self.asked = time.monotonic()
            if not self.footer.on:
                self._say([Line(RESET, "", 2)])

    def _begin(self, step: int) -> None:
        if self.ready:
            self._start(step)

    def _reset(self) -> list[str]:
        try:
            return reset(self.lab, self.root)
        except LabError as error:
            return [str(error)]

    def _wait_no_longer(self) -> None:
        """Ends a run that has not been heard of for too long."""
        if self.run is None or self.hung:
            return
        limit = max(self.limit, LIMIT_OF_RANKS) if self.run.many_ranks else self.limit
        if time.monotonic() - self.run.heard > limit:
            self.hung = True
            self.worker.stop(self.run.number)

    def _next_step(self) -> int:
        """The step after this one that is not passed, as far as that is known; else simply the next."""
        stand = status.known(self.lab, self.root)
        after = [step.number for step in self.lab.steps if step.number > self.step]
        around = [*after, *(step.number for step in self.lab.steps if step.number < self.step)]
        return next((number for number in around if not stand.passed(number)), (after or [1])[0])

    def _first_open(self) -> int:
        stand = status.known(self.lab, self.root)
        return next((step.number for step in self.lab.steps if not stand.passed(step.number)), 1)

    def _stamp(self) -> tuple[int, ...] | None:
        """What changes when the file is saved; None while it is not there."""
        try:
            stat = self.file.stat()
        except OSError:
            return None
        return stat.st_mtime_ns, stat.st_size, stat.st_ino

    def _tell_gone(self) -> None:
        if not self.told_gone:
            self.told_gone = True
            way = "r puts" if self.keys.on else f"make reset-{self.lab.name} puts"
            name = shown(self.file, self.root)
            self._say([Line(f"{name} is not there. Save it again, or {way} the skeleton in its place.", "bold red", 2)])

    def _head(self, run: Run | None = None) -> list[Line]:
        """A rule above what is said of a run, once."""
        run = run or self.run
        if self.headed:
            return []
        self.headed = True
        return [Line(""), Line(f"--- {datetime.now():%H:%M:%S}  {run.title()} ".ljust(screen.width() - 1, "-"), "bold")]

    def _foot(self) -> tuple[str, ...]:
        """The footer, and one for a narrow terminal."""
        if self.asked is not None:
            return RESET, RESET_SHORT
        if not self.ready:
            return ("warming up, some seconds (once)",)
        state = f"step {self.step}"
        if self.run is not None:
            seconds = int(self.run.seconds)
            state = f"testing, {seconds} s" if seconds else "testing"
        return f"{state}:  {KEYS}", f"{state}: {KEYS_SHORT}"

    def _say(self, lines: Iterable[Line]) -> None:
        try:
            self.footer.around(lambda: screen.show(lines))
        except OSError:
            sys.exit(0)  # whoever read this has gone
