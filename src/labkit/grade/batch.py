"""Grades submissions, a process for each: a result is written as each ends, and nothing is graded twice.

This process owns points, keys, seeds and the file of results. It loads no submission, and reads back only records.
"""

import hashlib
import hmac
import os
import re
import secrets
import tempfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING

from labkit.course.errors import LabError
from labkit.course.manifest import Lab
from labkit.course.records import Record, State
from labkit.grade import results
from labkit.grade.intake import Submission
from labkit.grade.results import Outcome, Result

if TYPE_CHECKING:  # it imports torch
    from labkit.judge.many import Judged

SECRET = "secret"
SHORTEST = 16  # bytes of a secret
LONGEST = 300  # characters of a reason
MARGIN = 60.0  # seconds for the judge of a submission beyond the limit that it sets itself
LABKIT = Path(__file__).parents[1]
GRADERS = ("judge", "observe")  # the packages of labkit that decide about a verdict
# How an error begins or reads that is not the file's own fault, or that is an import without an end.
MACHINERY = "the course's own machinery failed"
LATE = re.compile("did not end within|OutOfTime: no answer within|^ended at its limit")


@dataclass(frozen=True)
class Setting:
    """What is the same for all submissions of a batch. `level` is that of isolation."""

    lab: Lab
    out: Path
    secret: bytes
    level: str
    workers: int | None = None

    def key_of(self, submission: Submission, suite: str) -> str:
        """The same as long as grading it again would give the same; `suite` is what `digest_of` gives."""
        parts = (submission.digest, suite, hashlib.sha256(self.secret).hexdigest(), self.level)
        return hashlib.sha256(repr(parts).encode()).hexdigest()

    def seed_of(self, submission: Submission) -> str:
        """Of the inputs of its tests, which are the same in a regrade, and which nobody knows without the secret."""
        return hmac.new(self.secret, submission.digest.encode(), "sha256").hexdigest()


def read_secret(out: Path, given: Path | None) -> bytes:
    """The secret of the seeds: in the file that is `given`, or in `out`, where the first run makes one.

    Raises:
        LabError: the file cannot be read or made, or holds too little.
    """
    path = given or out / SECRET
    try:
        if given is None and not (path.exists() and path.stat().st_size):
            with open(os.open(path, os.O_WRONLY | os.O_CREAT, 0o600), "w") as file:
                file.write(f"{secrets.token_hex()}\n")
        secret = path.read_bytes().strip()
    except OSError as error:
        raise LabError(f"{path}: the secret cannot be read or made there ({error.strerror})") from None
    if len(secret) < SHORTEST:
        raise LabError(
            f"{path}: a secret has at least {SHORTEST} characters; one that nobody can guess: openssl rand -hex 32"
        )
    return secret


def digest_of(lab: Lab) -> str:
    """Of everything that a verdict depends on besides the submission: suite, manifest, and what of labkit judges."""
    own = [path for name in GRADERS for path in sorted((LABKIT / name).rglob("*.py"))]
    paths = [lab.paths.manifest, *lab.paths.graded_by(), *own]
    return hashlib.sha256(b"".join(hashlib.sha256(path.read_bytes()).digest() for path in paths)).hexdigest()


def pending(setting: Setting, submissions: Iterable[Submission]) -> list[tuple[str, Submission]]:
    """Those that have no result yet, with their keys. Cuts off what a killed batch has left of a line.

    Raises:
        LabError: the results cannot be read, or are those of another lab.
    """
    results.cut_torn_line(setting.out)
    standing = {one.result.submission: one.result for one in results.read(setting.out)}
    for other in {result.lab for result in standing.values()} - {setting.lab.name}:
        raise LabError(f"--out {setting.out}: holds results of {other}; give each lab a folder of its own")
    suite = digest_of(setting.lab)
    keyed = [(setting.key_of(submission, suite), submission) for submission in submissions]
    done = {name: result.key for name, result in standing.items() if result.state != Outcome.GRADER_ERROR}
    return [(key, submission) for key, submission in keyed if done.get(submission.id) != key]


def grade(setting: Setting, waiting: Sequence[tuple[str, Submission]], told: Callable[[Result], None]) -> None:
    """Writes a result for each of `waiting` and tells of it, as each ends.

    Raises:
        LabError: the suite cannot be collected, or a result cannot be written; those before are kept.
    """

    def take(result: Result) -> None:
        results.append(setting.out, result)
        told(result)

    for key, submission in waiting:
        if submission.reason:
            take(_result(setting, key, submission, Outcome.BROKEN, submission.reason))
    whole = [(key, submission) for key, submission in waiting if not submission.reason]
    if not whole:
        return
    from labkit.judge.many import Job, judge_many
    from labkit.judge.supervise import RUN_LIMIT

    lab = setting.lab
    limit = RUN_LIMIT + sum(lab.own_seconds(one) or 0.0 for one in lab.behaviours) + MARGIN
    tests = tuple(one.id for one in lab.behaviours)
    with _copies([submission for _, submission in whole]) as folders:

        def judged(index: int, verdicts: "Judged") -> None:
            key, submission = whole[index]
            state, reason = _outcome(setting, verdicts)
            records = tuple(_clean_record(record, folders[index]) for record in verdicts.records)
            take(_result(setting, key, submission, state, _clean(reason, folders[index]), records))

        def job(submission: Submission, folder: Path) -> Job:
            options = {"impl": str(folder), "seed": setting.seed_of(submission), "isolation": setting.level}
            return Job(options, tests)

        jobs = [job(submission, folder) for (_, submission), folder in zip(whole, folders, strict=True)]
        judge_many(lab, jobs, judged, workers=setting.workers, limit=limit)


@contextmanager
def _copies(submissions: Sequence[Submission]) -> Iterator[list[Path]]:
    """A folder for each, while it lasts, with what was taken of it. Raises LabError."""
    try:
        scratch = tempfile.TemporaryDirectory(prefix="labkit-grade-")
    except OSError as error:
        raise LabError(f"the folder for temporary files cannot be written ({error.strerror}); set TMPDIR") from None
    with scratch:
        folders = [Path(scratch.name, str(index)) for index in range(len(submissions))]
        try:
            os.chmod(scratch.name, 0o711)  # a sandbox runs as another user
            for folder, submission in zip(folders, submissions, strict=True):
                folder.mkdir()
                for name, data in submission.files.items():
                    (folder / name).write_bytes(data)
        except OSError as error:
            raise LabError(
                f"{scratch.name}: cannot be written ({error.strerror}); set TMPDIR to another disk"
            ) from None
        yield folders


def _outcome(setting: Setting, judged: "Judged") -> tuple[Outcome, str]:
    """How the grading ended, and why it gave no verdicts, or not all."""
    if judged.error:
        says = " ".join(judged.error.split())
        if LATE.search(says):
            return Outcome.TIMEOUT, says
        if not judged.ended:
            return Outcome.GRADER_ERROR, "the process that graded it ended without verdicts"
        return (Outcome.GRADER_ERROR if says.startswith(MACHINERY) else Outcome.BROKEN), says
    if judged.isolation != setting.level:
        return Outcome.GRADER_ERROR, f"it ran in isolation {judged.isolation}, not {setting.level}"
    states = {record.id: record.state for record in judged.records}
    for one in setting.lab.behaviours:
        if states.get(one.id, State.GRADER_ERROR) == State.GRADER_ERROR:
            return Outcome.GRADER_ERROR, f"no verdict on {one.id}"
    return Outcome.GRADED, ""


def _result(
    setting: Setting,
    key: str,
    submission: Submission,
    state: Outcome,
    reason: str,
    records: tuple[Record, ...] = (),
) -> Result:
    return Result(
        key=key,
        submission=submission.id,
        lab=setting.lab.name,
        points=sum(record.earned for record in records),
        max_points=setting.lab.points,
        state=state,
        reason=reason if len(reason) <= LONGEST else f"{reason[:LONGEST]}...",
        isolation=setting.level,
        seconds=round(sum(record.seconds for record in records), 2),
        files=submission.taken,
        left=submission.left,
        records=records,
    )


def _clean_record(record: Record, folder: Path) -> Record:
    texts = {one.name: getattr(record, one.name) for one in fields(record) if one.type is str}
    return record.but(**{name: _clean(text, folder) for name, text in texts.items()})


def _clean(text: str, folder: Path) -> str:
    """Text that a submission has a part in: its files by their names alone, and nothing that is no UTF-8."""
    return text.replace(f"{folder}/", "").encode("utf-8", "backslashreplace").decode()
