"""What `make watch-lab04` reacts to: keys, saves, and what the tests say, each as one event."""

import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

SETTLED = 0.04  # seconds for which a saved file must rest: some editors empty it before they write
GONE = 0.5  # seconds after which a file that is not there is gone: some editors write another and rename it

Stamp = tuple[int, ...]


@dataclass(frozen=True)
class Pressed:
    """A key."""

    key: str


@dataclass(frozen=True)
class Saved:
    """The student's file was saved, `at` this moment of the monotonic clock."""

    at: float


@dataclass(frozen=True)
class Deleted:
    """The student's file is not there any more."""


@dataclass(frozen=True)
class Ready:
    """The process that runs the tests has warmed up."""


@dataclass(frozen=True)
class Said:
    """Something about a test of run `number`: that it starts, or its record."""

    number: int
    event: dict


@dataclass(frozen=True)
class Ended:
    """Run `number` has ended."""

    number: int
    event: dict


@dataclass(frozen=True)
class Overdue:
    """The run has not been heard of for too long."""


Event = Pressed | Saved | Deleted | Ready | Said | Ended | Overdue


def of_worker(event: dict) -> Event:
    """The event in a line that the process with the tests has written."""
    if "ready" in event:
        return Ready()
    return (Ended if "end" in event else Said)(event.get("run", 0), event)


class Saves:
    """Looks at a file, and tells when it was saved and has come to rest, or has gone."""

    def __init__(self, file: Path) -> None:
        self.file = file
        self.told = self.last = self._stamp()
        self.since = time.monotonic()

    def look(self) -> Iterator[Saved | Deleted]:
        now, stamp = time.monotonic(), self._stamp()
        if stamp != self.last:
            self.last, self.since = stamp, now
        if stamp != self.told and now - self.since >= (SETTLED if stamp else GONE):
            self.told = stamp
            yield Saved(self.since) if stamp else Deleted()

    def _stamp(self) -> Stamp | None:
        """What changes when the file is saved; None while it is not there."""
        try:
            stat = self.file.stat()
        except OSError:
            return None
        return stat.st_mtime_ns, stat.st_size, stat.st_ino
