"""The commands for those who work on a lab."""

import itertools
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import click

from labkit.course import manifest, screen
from labkit.course.errors import LabError
from labkit.course.manifest import ROOT, Lab
from labkit.course.screen import Line

if TYPE_CHECKING:  # it imports torch
    from labkit.proof.grading import Graded


@click.command()
def skeletons() -> None:
    """Make the skeletons from the solutions, and the table of steps in each handout from its manifest."""
    from labkit.course.handout import write_handout
    from labkit.course.skeleton import write_skeletons

    for lab in manifest.load_all():
        for line in [*write_skeletons(lab), *write_handout(lab)]:
            click.echo(line)


@click.command()
@click.argument("lab")
@click.option("--seeds", default=1, type=click.IntRange(1), help="How many seeds to prove it under, from 0 on.")
@click.option("--mutants", is_flag=True, help="Also grade single-change mutants of the solution: minutes more.")
@click.option("--check", is_flag=True, help="Quicker: write nothing, fail if what it wrote is not true any more.")
@click.option("--one-in", default=1, type=click.IntRange(1), help="With --check: only one in N of the bank.  [1]")
def proof(lab: str, seeds: int, mutants: bool, check: bool, one_in: int) -> None:
    """Grade every known mistake and alternative of LAB and show which test catches what."""
    os.environ["OMP_NUM_THREADS"] = "1"  # before torch is imported: the forked children compute, one on each core
    from labkit.proof import pages, picture, problems, prove

    if one_in > 1 and not check:
        raise click.UsageError("--one-in is for --check: what a proof writes is about the whole bank")
    found, progress = manifest.find(lab), _progress()
    proven = prove.prove(found, list(range(seeds)), check, progress, one_in)
    wrong = problems.problems(found, proven)
    if mutants:
        wrong += _grade_mutants(found, progress)
    screen.progress("")
    if check:
        wrong += pages.stale_pages(found, proven)
    else:
        screen.show(pages.matrix(found, proven))
        drawn = ROOT / "runs" / f"proof-{found.name}.png"
        picture.draw_matrix(found, proven, drawn)
        for path in (drawn, *pages.write_pages(found, proven)):
            click.echo(f"written: {path.relative_to(ROOT)}")
    click.echo(pages.conclusion(found, proven, wrong))
    sys.exit(1 if wrong else 0)


@click.command()
@click.argument("lab")
@click.argument("folder", type=click.Path(path_type=Path))
def unseen(lab: str, folder: Path) -> None:
    """Grade the answers in FOLDER, by writers who have seen only the skeleton and the handout of LAB."""
    os.environ["OMP_NUM_THREADS"] = "1"  # as for `proof`
    from labkit.proof import unseen as answers

    found = manifest.find(lab)
    results = answers.grade_unseen(found, answers.read_folder(folder), _progress())
    screen.progress("")
    screen.show(Line(line, indent=2) for line in answers.report(results))
    sys.exit(0 if answers.is_good_enough(results) else 1)


def _grade_mutants(lab: Lab, progress: Callable[["Graded"], None]) -> list[str]:
    """Grades the mutants; what is wrong, a line each. Shows the entries that unexplained survivors need."""
    try:
        from labkit.proof import mutants
    except ModuleNotFoundError as error:
        raise LabError(f"proof --mutants needs {error.name}: pip install -e '.[course]'") from None
    explained = mutants.explanations(lab)  # a damaged list is told before minutes of grading
    caught = mutants.grade_mutants(lab, progress)
    click.echo(f"Mutants: {sum(caught.values())} of {len(caught)} caught, {len(explained)} explained.")
    for mutant, is_caught in caught.items():
        if not is_caught and mutant not in explained:
            click.echo(mutant.entry())
    return mutants.problems(caught, explained)


def _progress() -> Callable[["Graded"], None]:
    """Shows how many answers are graded, on a terminal."""
    done = itertools.count(1)
    return lambda graded: screen.progress(f"{next(done)} {graded.answer.name}"[: screen.width() - 1])


COMMANDS = (skeletons, proof, unseen)
