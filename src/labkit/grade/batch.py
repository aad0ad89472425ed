"""Grades submissions, a process for each: a result is written as each ends, and nothing is graded twice.

This process owns points, keys, seeds and the file of results. It loads no submission, and reads back only records.
"""

import hashlib
import hmac
import os
import secrets
import tempfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from labkit.course.errors import LabError
from labkit.course.garbage import none_collected
from labkit.course.manifest import Lab
from labkit.course.records import Record
from labkit.grade import outcomes, results
from labkit.grade.intake import Submission
from labkit.grade.results import Outcome, Result
from labkit.judge.limits import RUN_LIMIT
from labkit.observe.isolation import Level

if TYPE_CHECKING:  # it imports torch
    from labkit.judge.many import Judged

SECRET = "secret"
SHORTEST = 16  # bytes of a secret
MARGIN = 60.0  # seconds for the judge of a submission beyond the limit that it sets itself
LONGEST = 300  # characters of a reason
CUT_OFF = "grading was cut off"  # the reason of a result that another was to follow
LABKIT = Path(__file__).parents[1]
GRADERS = ("judge", "observe")  # the packages of labkit that decide about a verdict

Keyed = tuple[str, Submission]
Told = Callable[[Result], None]


@dataclass(frozen=True)
class Setting:
    """What is the same for all submissions of a batch. `level` is that of isolation; `solution`, if it is given, has to
    pass the hidden tests.
    """

    lab: Lab
    out: Path
    secret: bytes
    level: Level
    workers: int | None = None
    solution: Path | None = None

    def key_of(self, submission: Submission, suite: str) -> str:
        """The same as long as grading it again would give the same; `suite` is what `digest_of` gives."""
        parts = (submission.digest, submission.late, suite, hashlib.sha256(self.secret).hexdigest(), str(self.level))
        return hashlib.sha256(repr(parts).encode()).hexdigest()

    def options_of(self, submission: Submission, folder: Path) -> dict[str, Any]:
        """The suite's options for the submission, which lies in the folder.

        The inputs of its tests are the same in a regrade, and nobody knows them without the secret.
        """
        seed = hmac.new(self.secret, submission.digest.encode(), "sha256").hexdigest()
        return {"impl": str(folder), "seed": seed, "isolation": self.level}


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


def pending(setting: Setting, submissions: Iterable[Submission]) -> list[Keyed]:
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


def grade(setting: Setting, waiting: Sequence[Keyed], told: Told) -> None:
    """Writes a result for each of `waiting` and tells of it, as each ends.

    Raises:
        LabError: the suite cannot be collected, a result cannot be written, or every submission would fail for the
            same fault, which is not theirs; the results before are kept.
    """

    def take(result: Result) -> None:
        if fault := outcomes.fault_of_all(setting.lab, result):
            raise LabError(fault)
        results.append(setting.out, result)
        told(result)

    _judge(setting, waiting, take)


def grade_one(setting: Setting, submission: Submission, told: Told) -> Result:
    """The result of the submission; `told` gets it too, and before it what is known after each test, since a grader
    may be killed at any time.

    Raises:
        LabError: the suite cannot be collected.
    """
    found: list[Result] = []
    _judge(setting, [("", submission)], found.append, told)
    told(found[0])
    return found[0]


def _judge(setting: Setting, waiting: Sequence[Keyed], take: Told, known: Told | None = None) -> None:
    """Hands `take` a result for each of `waiting`, as it ends, and `known` what is known of it after each test."""
    for key, submission in waiting:
        if submission.reason:
            take(_result(setting, key, submission, Outcome.BROKEN, submission.reason))
    whole = [(key, submission) for key, submission in waiting if not submission.reason]
    if not whole:
        return
    with none_collected():
        from labkit.judge.many import Job, judge_many

    lab = setting.lab
    hidden = tuple(one.id for one in lab.behaviours if one.hidden)
    trial = []
    if hidden and setting.solution is not None and setting.solution.exists():
        trial = [Job({"impl": str(setting.solution.parent), "isolation": Level.NONE, "right": True}, hidden)]
    with _copies([submission for _, submission in whole]) as folders:

        def judged(index: int, verdicts: "Judged") -> None:
            if index < len(trial):
                return outcomes.check_hidden(lab, verdicts)
            key, submission = whole[index - len(trial)]
            verdicts = outcomes.cleaned(verdicts, folders[index - len(trial)])
            state, reason = outcomes.outcome(lab, setting.level, submission.files, verdicts)
            take(_result(setting, key, submission, state, reason, verdicts.records, verdicts.seconds))

        def so_far(index: int, verdicts: "Judged") -> None:
            key, submission = whole[index]  # nobody who asks tries the solution
            verdicts = outcomes.cleaned(verdicts, folders[index])
            known and known(_result(setting, key, submission, Outcome.TIMEOUT, CUT_OFF, verdicts.records))

        tests = tuple(one.id for one in lab.behaviours)
        jobs = [Job(setting.options_of(one, folder), tests) for (_, one), folder in zip(whole, folders, strict=True)]
        limit = RUN_LIMIT + sum(lab.own_seconds(one) or 0.0 for one in lab.behaviours) + MARGIN
        judge_many(
            lab,
            trial + jobs,
            judged,
            workers=setting.workers,
            limit=limit,
            so_far=so_far if known else None,
            apart=True,
        )


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
            for folder, submission in zip(folders, submissions, strict=True):
                folder.mkdir()
                for name, data in submission.files.items():
                    (folder / name).write_bytes(data)
        except OSError as error:
            raise LabError(
                f"{scratch.name}: cannot be written ({error.strerror}); set TMPDIR to another disk"
            ) from None
        yield folders


def _result(
    setting: Setting,
    key: str,
    submission: Submission,
    state: Outcome,
    reason: str,
    records: tuple[Record, ...] = (),
    seconds: float = 0.0,
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
        seconds=round(seconds, 2),
        files=submission.taken,
        left=submission.left,
        late=submission.late,
        records=records,
    )
