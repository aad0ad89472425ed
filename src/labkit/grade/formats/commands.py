"""The commands that bring results into other systems, and that grade one submission inside of one."""

import os
import secrets
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click

from labkit.course import manifest, screen
from labkit.course.errors import LabError
from labkit.course.files import check_writable, write_whole
from labkit.course.manifest import Lab
from labkit.course.screen import visible
from labkit.grade.commands import HIDDEN, ISOLATION, level_here

if TYPE_CHECKING:  # they import torch, or what one command needs
    from labkit.grade.formats.gradebook import Merged
    from labkit.grade.results import Result

SYSTEMS = ("gradescope", "github", "classroom50", "prairielearn")
OUT = click.option("--out", required=True, type=click.Path(path_type=Path), help="The file to write.")


@click.command()
@click.argument("results", type=click.Path(path_type=Path))
@click.option("--export", required=True, type=click.Path(path_type=Path), help="The grade book as Canvas exports it.")
@click.option("--column", required=True, help="The assignment's column, such as 'Lab 04 (123)'.")
@OUT
def canvas(results: Path, export: Path, column: str, out: Path) -> None:
    """Put the points of a graded class, in the folder RESULTS, into a grade book of Canvas."""
    from labkit.grade.formats.canvas import into_canvas

    check_writable(out, "--out")
    _write(into_canvas(_read(results), _bytes(export), column, str(export)), out)


@click.command()
@click.argument("results", type=click.Path(path_type=Path))
@click.option("--worksheet", required=True, type=click.Path(path_type=Path), help="Moodle's grading worksheet.")
@click.option("--column", default="", help="The title of the grades' column.  [found by what it holds]")
@click.option("--id-column", default="", help="That of the participants' column.  [the first]")
@OUT
def moodle(results: Path, worksheet: Path, column: str, id_column: str, out: Path) -> None:
    """Put the points of a graded class, in the folder RESULTS, into a grading worksheet of Moodle."""
    from labkit.grade.formats.moodle import into_moodle

    check_writable(out, "--out")
    _write(into_moodle(_read(results), _bytes(worksheet), str(worksheet), column, id_column), out)


@click.command()
@click.argument("lab")
@OUT
@HIDDEN
@click.option("--options", default="", help="Further options of grade-one in the archive.")
def gradescope(lab: str, out: Path, hidden: Path | None, options: str) -> None:
    """Make the autograder.zip of LAB that Gradescope installs."""
    from labkit.grade.formats.autograder import autograder_zip

    check_writable(out, "--out")
    write_whole(out, autograder_zip(manifest.find(lab), secrets.token_hex().encode(), options, hidden))
    screen.say(f"written: {out}; in Gradescope: Configure Autograder, Upload. It holds the secret of the seeds.")


@click.command()
@click.argument("lab")
@click.option("--course", required=True, metavar="OWNER/NAME", help="The repository with this course, on GitHub.")
@OUT
def github_workflow(lab: str, course: str, out: Path) -> None:
    """Write the workflow with which GitHub Classroom grades LAB in a student's repository."""
    from labkit.grade.formats.github import workflow

    check_writable(out, "--out")
    write_whole(out, workflow(manifest.find(lab), course).encode())
    screen.say(f"written: {out}; it belongs into .github/workflows/classroom.yml of the assignment's template")


@click.command()
@click.argument("lab")
@click.argument("submission", type=click.Path(path_type=Path))
@click.option("--as", "system", required=True, type=click.Choice(SYSTEMS), help="Whose format the result has.")
@ISOLATION
@click.option("--secret-file", type=click.Path(path_type=Path), help="Of the seeds.  [a new one each time]")
@OUT
def grade_one(lab: str, submission: Path, system: str, isolation: str, secret_file: Path | None, out: Path) -> None:
    """Grade one SUBMISSION to LAB, a folder or a file, and write what it has earned after every test.

    Prints nothing that the submission has a part in. Exits with 1, without a result, if grading itself failed.
    """
    os.environ["OMP_NUM_THREADS"] = "1"  # before torch is imported
    from labkit.grade import batch, intake
    from labkit.grade.results import Outcome

    found, level = manifest.find(lab), level_here(isolation)
    if not submission.exists():
        raise LabError(f"{submission}: there is nothing; give the student's folder or file")
    check_writable(out, "--out")
    write = _writer(found, system)
    secret = batch.read_secret(out.parent, secret_file) if secret_file else secrets.token_bytes()
    taken = intake.read_one("submission", [submission], found)
    setting = batch.Setting(found, out.parent, secret, level)
    try:
        result = batch.grade_one(setting, taken, lambda known: write_whole(out, write(known).encode()))
        failed = result.reason if result.state == Outcome.GRADER_ERROR else ""
    except LabError as error:
        failed = str(error)
    if failed:
        out.unlink(missing_ok=True)
        raise LabError(f"{found.name}: the course's own machinery failed, and nobody lost a point: {visible(failed)}")
    screen.say(
        f"{found.name}: {result.points} of {result.max_points} points, {result.state}, isolation {result.isolation}"
    )


def _writer(lab: Lab, system: str) -> "Callable[[Result], str]":
    from labkit.grade.formats import classroom50, github, gradescope, prairielearn

    now = f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ}"
    return {
        "gradescope": lambda result: gradescope.results_json(lab, result),
        "github": lambda result: github.result_output(lab, result),
        "classroom50": lambda result: classroom50.result_json(lab, result, os.environ, now),
        "prairielearn": lambda result: prairielearn.results_json(lab, result),
    }[system]


def _read(folder: Path) -> "list[Result]":
    from labkit.grade.results import check, read

    check(folder)
    return [standing.result for standing in read(folder)]


def _bytes(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise LabError(f"{path}: cannot be read ({error.strerror})") from None


def _write(merged: "Merged", out: Path) -> None:
    """Writes the grade book, and says whose points it had before, who is not in it, and who has submitted nothing."""
    write_whole(out, merged.text.encode())
    for name, was in merged.changed:
        screen.say(f"- {visible(name)}: had {visible(was)} points in the grade book, which were replaced")
    for name, why in merged.left:
        screen.say(f"- {visible(name)}: {why}")
    for name in merged.absent:
        screen.say(f"- {visible(name)}: in the grade book, and no submission is theirs")
    counts = f"{len(merged.entered)} entered, {len(merged.left)} not"
    screen.say(f"written: {out}: {counts}; students without a submission: {len(merged.absent)}.")


COMMANDS = (canvas, moodle, gradescope, github_workflow, grade_one)
