"""The commands for those who work on a lab."""

import itertools
import os
import sys

import click

from labkit.course import manifest, screen
from labkit.course.manifest import ROOT


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
@click.option("--check", is_flag=True, help="Quicker: write nothing, fail if what it wrote is not true any more.")
def proof(lab: str, seeds: int, check: bool) -> None:
    """Grade every known mistake and alternative of LAB and show which test catches what."""
    os.environ["OMP_NUM_THREADS"] = "1"  # before torch is imported: the forked children compute, one on each core
    from labkit.proof import pages, picture, problems, prove

    found = manifest.find(lab)
    done = itertools.count(1)
    proven = prove.prove(
        found, list(range(seeds)), check, lambda graded: screen.progress(f"{next(done)} {graded.answer.name}")
    )
    screen.progress("")
    wrong = problems.problems(found, proven)
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


COMMANDS = (skeletons, proof)
