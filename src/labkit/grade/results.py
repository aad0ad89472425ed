"""The results of a batch: `results.jsonl`, a line for each submission that was graded, only ever appended to.

Everything else in the folder of results is made from this file. A process that is killed while it writes leaves half a
line at its end, which readers drop, and which the next batch cuts off.
"""

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

import msgspec

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None  # type: ignore[assignment]

from labkit.course.errors import LabError
from labkit.course.files import write_whole
from labkit.course.records import Record
from labkit.observe.isolation import Level

RESULTS = "results.jsonl"
LOCK = "lock"


class Outcome(StrEnum):
    """How the grading of a submission ended. A `grader_error` is nobody's zero: it is graded again."""

    GRADED = "graded"
    BROKEN = "broken"  # it holds no file that could be graded, or its file cannot be imported
    TIMEOUT = "timeout"  # importing it does not end, or all of it reached the limit of a submission
    GRADER_ERROR = "grader_error"


@dataclass(frozen=True)
class Result:
    """One line of `results.jsonl`.

    `key` says what was graded with what: it is the same as long as the submission, the suite and the secret of the
    seeds are. `submission` is the student's name or number as the folder has it, whatever characters that are.
    `reason` says in one line why it was not graded. `files` were taken of the submission, `left` were not, and why.
    `late`: the system from which it comes says so; it costs no points here.
    """

    key: str
    submission: str
    lab: str
    points: int
    max_points: int
    state: Outcome
    reason: str = ""
    isolation: Level = Level.NONE
    seconds: float = 0.0
    files: tuple[str, ...] = ()
    left: tuple[tuple[str, str], ...] = ()
    records: tuple[Record, ...] = ()
    late: bool = False


@dataclass(frozen=True)
class Standing:
    """The result of a submission that counts, its last, and the one before: what a new grading has changed."""

    result: Result
    earlier: Result | None = None


@contextmanager
def locked(out: Path) -> Iterator[None]:
    """Nobody else writes into the folder meanwhile; the system frees it, however this process ends. Raises LabError."""
    with open(out / LOCK, "w") as lock:
        if fcntl is not None:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise LabError(f"--out {out}: another grading writes there; wait for it, or give another") from None
        yield


def check(out: Path) -> None:
    """Raises LabError unless the folder holds results."""
    if not (out / RESULTS).is_file():
        raise LabError(f"{out}: holds no {RESULTS}; name the folder that labkit grade has written")


def read(out: Path) -> list[Standing]:
    """Where every submission stands, by name; nothing if the folder holds no results.

    Raises:
        LabError: the file cannot be read, or holds a line that is no result.
    """
    standings: dict[str, Standing] = {}
    for result in _whole_lines(out / RESULTS)[0]:
        last = standings.get(result.submission, Standing(result))
        gives = result.submission in standings and last.result.state != Outcome.GRADER_ERROR
        standings[result.submission] = Standing(result, last.result if gives else last.earlier)
    return [standings[name] for name in sorted(standings)]


def write_merged(outs: Sequence[Path], out: Path) -> str:
    """Puts all lines of the folders `outs` into `out`, one folder after the other; gives the name of their lab.

    Raises:
        LabError: they are of several labs, or `out` has results that none of them has.
    """
    path = out / RESULTS
    every = list(dict.fromkeys(result for folder in outs for result in _whole_lines(folder / RESULTS)[0]))
    if len(labs := sorted({result.lab for result in every})) > 1:
        raise LabError(f"these are results of {' and '.join(labs)}; merge those of one lab")
    if not labs:
        raise LabError(f"{', '.join(map(str, outs))}: hold no results yet; merge once they have some")
    if set(_whole_lines(path)[0]) - set(every):
        raise LabError(f"--out {out}: has results that are in none of the others; give another folder")
    write_whole(path, b"".join(map(_line, every)))
    return labs[0]


def cut_torn_line(out: Path) -> None:
    """Takes off what a killed batch has left of its last line. Raises LabError."""
    path = out / RESULTS
    _, end = _whole_lines(path)
    try:
        if path.exists() and path.stat().st_size > end:
            os.truncate(path, end)
    except OSError as error:
        raise LabError(f"{path}: cannot be written ({error.strerror}); the results in it are untouched") from None


def append(out: Path, result: Result) -> None:
    """Adds a line, whole or not at all.

    The file is open only here: what is forked to run a submission never holds it. Raises LabError.
    """
    path, line = out / RESULTS, _line(result)
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
        try:
            size, written = os.fstat(descriptor).st_size, 0
            try:
                while written < len(line):
                    written += os.write(descriptor, line[written:])
                os.fsync(descriptor)
            except OSError:
                os.ftruncate(descriptor, size)
                raise
        finally:
            os.close(descriptor)
    except OSError as error:
        raise LabError(f"{path}: cannot be written ({error.strerror}); the results in it are untouched") from None


def _line(result: Result) -> bytes:
    return msgspec.json.encode(result) + b"\n"


def _whole_lines(path: Path) -> tuple[list[Result], int]:
    """The results, and how many bytes of the file their lines are."""
    try:
        data = path.read_bytes() if path.exists() else b""
    except OSError as error:
        raise LabError(f"{path}: cannot be read ({error.strerror})") from None
    results: list[Result] = []
    end = 0
    lines = data.splitlines(keepends=True)
    for number, line in enumerate(lines, 1):
        try:
            result = msgspec.json.decode(line, type=Result)
            torn = not line.endswith(b"\n")
        except (msgspec.DecodeError, UnicodeDecodeError, TypeError) as error:
            if number < len(lines):
                raise LabError(
                    f"{path}, line {number}: is no result ({error}); remove the line, or give another folder"
                ) from None
            torn = True
        if not torn:
            results.append(result)
            end += len(line)
    return results, end
