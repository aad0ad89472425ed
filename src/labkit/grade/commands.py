"""The commands of those who grade a class."""

import os
import re
import shutil
import sys
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import click

from labkit.course import manifest, screen
from labkit.course.errors import LabError
from labkit.course.files import check_writable, make_folder
from labkit.course.manifest import Lab
from labkit.course.screen import visible
from labkit.observe.isolation import Level, level_of, what_works

if TYPE_CHECKING:  # they import torch, or what only a batch needs
    from labkit.grade.intake import Submission
    from labkit.grade.results import Result

ISOLATION = click.option(
    "--isolation",
    default="best",
    type=click.Choice([*map(str, Level), "best"]),
    help="What keeps submissions apart.  [best]",
)
ROOM = 50_000_000  # bytes for temporary files: a sandbox takes a few million, and what a submission writes
STEADY = 3600.0  # seconds of a batch from which its estimate is made: of a few, it would jump
HIDDEN = click.option("--hidden", type=click.Path(path_type=Path), help="A folder with hidden tests of your own.")


@click.command()
@click.argument("lab")
@click.argument("submissions", type=click.Path(path_type=Path))
@click.option("--out", required=True, type=click.Path(path_type=Path), help="The folder of the results.")
@ISOLATION
@click.option("--accept-weak-isolation", is_flag=True, help="Grade even where they can reach files and network.")
@HIDDEN
@click.option("--jobs", type=click.IntRange(1), help="How many are graded at once.  [as many as there are cores]")
@click.option("--shard", default="1/1", metavar="K/N", help="Only part K of N, for one of several machines.")
@click.option("--secret-file", type=click.Path(path_type=Path), help="Of the seeds.  [a file secret in --out]")
def grade(
    lab: str,
    submissions: Path,
    out: Path,
    isolation: str,
    accept_weak_isolation: bool,
    hidden: Path | None,
    jobs: int | None,
    shard: str,
    secret_file: Path | None,
) -> None:
    """Grade each submission to LAB in the folder SUBMISSIONS; the same command again goes on where it ended."""
    os.environ["OMP_NUM_THREADS"] = "1"  # before torch is imported: the forked children compute, one on each core
    from labkit.grade import batch, intake, results
    from labkit.grade.excerpt import with_hidden

    found, part, level = manifest.find(lab), _part(shard), level_here(isolation)
    weak = f"isolation {level}: submissions can reach files and the network here" if level.weak else ""
    if weak and not accept_weak_isolation:
        reason = what_works()[Level.LANDLOCK]
        how = f"{Level.LANDLOCK} does not work here: {reason}" if reason else f"take {Level.LANDLOCK} or more"
        raise LabError(f"{weak}; {how}; --accept-weak-isolation grades all the same", exit_code=2)
    _check_packages(found)
    if out.resolve().is_relative_to(submissions.resolve()):
        raise LabError(f"--out {out}: lies in the folder of the submissions; give one outside of it")
    taken = intake.read_folder(submissions, found)[part]
    _make_results_folder(out)
    check_writable(out / "grades.csv", "--out")
    with results.locked(out), with_hidden(found, hidden) as graded:
        setting = batch.Setting(graded, out, batch.read_secret(out, secret_file), level, jobs, found.paths.solution)
        waiting = batch.pending(setting, taken)
        for _, submission in waiting:
            screen.say(f"- {_taken(submission)}")  # the dash: names are no commands to a runner
        screen.say(f"{_count(len(taken), 'submission')} to {found.name}: {len(taken) - len(waiting)} graded before, "
                   f"{len(waiting)} to grade in isolation {level}")  # fmt: skip
        if weak:
            click.secho(f"WEAK {weak}", err=True, bold=True)
        stopped = False
        try:
            with _progress(len(waiting)) as told:
                batch.grade(setting, waiting, told)
        except KeyboardInterrupt:
            stopped = True
        _conclude(found, out)
        if stopped:
            left = len(batch.pending(setting, taken))
            screen.say(f"Stopped: {len(taken) - left} of {len(taken)} are graded; the same command again goes on.")
            sys.exit(130)


@click.command()
@click.argument("outs", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("--out", required=True, type=click.Path(path_type=Path), help="The folder of all results.")
def merge(outs: tuple[Path, ...], out: Path) -> None:
    """Put the results of several machines, each in a folder of OUTS, together; of two results the later counts."""
    from labkit.grade import results

    for folder in outs:
        results.check(folder)
    _make_results_folder(out)
    with results.locked(out):
        name = results.write_merged(outs, out)
        _conclude(manifest.find(name), out)


def _make_results_folder(out: Path) -> None:
    """Makes the folder if it is not there. Raises LabError if it is a folder of something else.

    A batch that was stopped before its first result has left its lock.
    """
    from labkit.grade.batch import SECRET
    from labkit.grade.results import LOCK, RESULTS

    make_folder(out, "--out")
    names = set(os.listdir(out))
    if names - {SECRET} and not names & {RESULTS, LOCK}:
        raise LabError(f"--out {out}: is not empty and holds no results; give a new folder, outside of the course")


def level_here(isolation: str) -> Level:
    """The level of isolation that works here. Raises LabError: it does not, or there is no room to find out."""
    try:
        folder = tempfile.gettempdir()
        free = shutil.disk_usage(folder).free
    except OSError as error:
        raise LabError(f"there is no folder for temporary files ({error.strerror}); set TMPDIR to one") from None
    if free < ROOM:
        says = f"{free // 1_000_000} MB are free for temporary files, and {ROOM // 1_000_000} are needed"
        raise LabError(f"{folder}: {says}; free some, or set TMPDIR to another disk")
    return level_of(isolation)


def _part(shard: str) -> slice:
    match = re.fullmatch(r"(\d{1,6})/(\d{1,6})", shard)
    if not match or not 1 <= int(match[1]) <= int(match[2]):
        raise click.UsageError(f"--shard {shard}: give K/N with K from 1 to N, such as 1/4")
    return slice(int(match[1]) - 1, None, int(match[2]))


def _check_packages(lab: Lab) -> None:
    missing = {name: None for step in lab.steps for name in lab.missing(step.number)}
    if missing:
        raise LabError(f"{lab.name} cannot be graded here without {', '.join(missing)}: install what is missing first")


def _taken(submission: "Submission") -> str:
    """What was taken and what was left of it."""
    if submission.reason:
        return f"{visible(submission.id)}: broken: {submission.reason}"
    left = "".join(f"; {visible(name)} {why}" for name, why in submission.left)
    return f"{visible(submission.id)}: {', '.join(map(visible, submission.taken))}{left}"


@contextmanager
def _progress(count: int) -> Iterator[Callable[["Result"], None]]:
    """A line for each result; on a terminal a bar with an estimate below them.

    The bar draws itself when it is told, never from a thread of its own, which would hang the forked children.
    """
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
    from rich.text import Text

    console = Console(stderr=True)
    columns = TextColumn("grading"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn(), TextColumn("left")
    with Progress(
        *columns, console=console, auto_refresh=False, transient=True, disable=not console.is_terminal or not count,
        speed_estimate_period=STEADY, redirect_stdout=False, redirect_stderr=False,
    ) as bar:  # fmt: skip
        task, done = bar.add_task("", total=count), 0
        bar.refresh()

        def told(result: "Result") -> None:
            nonlocal done
            done += 1
            text = f"[{done}/{count}] {_ended(result)}"
            if console.is_terminal:
                console.print(Text(text), soft_wrap=False)  # above the bar
                bar.update(task, advance=1, refresh=True)
            else:
                click.echo(text, err=True)

        yield told


def _ended(result: "Result") -> str:
    """How a submission ended, and with how many points."""
    from labkit.grade.results import Outcome

    undecided = result.state == Outcome.GRADER_ERROR
    points = "no points yet" if undecided else f"{result.points} of {result.max_points} points"
    says = result.reason and f" ({visible(result.reason)})"
    return f"{visible(result.submission)}: {result.state.replace('_', ' ')}, {points}{says}"


def _conclude(lab: Lab, out: Path) -> None:
    """Writes tables and pages, and says where they are, and which submissions have no verdict."""
    from labkit.grade.pages import write_pages
    from labkit.grade.results import RESULTS, Outcome, read
    from labkit.grade.table import write_tables

    standings = read(out)
    written = write_tables(out, standings) + write_pages(lab, out, standings)
    last = [standing.result for standing in standings]
    counts = Counter(result.state for result in last)
    for one in last:
        if one.state != Outcome.GRADED:
            screen.say(f"- {visible(one.submission)}: {one.state.replace('_', ' ')}: {visible(one.reason)}")
    states = ", ".join(f"{counts[state]} {state.replace('_', ' ')}" for state in Outcome if counts[state])
    screen.say(f"{_count(len(last), 'result')} in {out}: {states or 'none yet'}.")
    screen.say(f"Written: {', '.join(path.name for path in written)}, {RESULTS}.")


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"


COMMANDS = (grade, merge)
