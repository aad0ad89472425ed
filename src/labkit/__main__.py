"""`python -m labkit COMMAND`: what the Makefile's targets call."""

import itertools
import os
import sys
from pathlib import Path

import click

from labkit import manifest
from labkit.errors import LabError
from labkit.manifest import ROOT


@click.group(help="The machinery of the course; `make` lists the commands that people type.")
def cli() -> None:
    pass


@cli.command()
@click.option("--out", type=click.Path(path_type=Path), default=ROOT / "runs", help="Folder of the picture.")
def demo(out: Path) -> None:
    """Train the reference solution in every format and draw what happens."""
    from labkit.demo import run_demo

    run_demo(ROOT / "solutions" / "mixed_precision.py", out)


@cli.command()
def skeletons() -> None:
    """Make the skeletons from the solutions, and the table of steps in each handout from its manifest."""
    from labkit.handout import write_handout
    from labkit.skeleton import write_skeletons

    for lab in manifest.load_all():
        for line in [*write_skeletons(lab), *write_handout(lab)]:
            click.echo(line)


@cli.command()
@click.argument("lab")
@click.option("--seeds", default=1, type=click.IntRange(1), help="How many seeds to prove it under, from 0 on.")
@click.option("--own-steps", is_flag=True, help="Put to a mistake only the tests of its own step: quicker.")
@click.option("--check", is_flag=True, help="Write nothing; fail if what the proof writes is out of date.")
def proof(lab: str, seeds: int, own_steps: bool, check: bool) -> None:
    """Grade every known mistake and alternative of LAB and show which test catches what."""
    os.environ["OMP_NUM_THREADS"] = "1"  # before torch is imported: the forked children compute, one on each core
    from labkit import proof, proof_report

    found = manifest.find(lab)
    done = itertools.count(1)
    results = proof.prove(
        found, list(range(seeds)), not own_steps, lambda graded: _progress(next(done), graded.answer.name)
    )
    _progress(0, "")
    click.echo(proof_report.matrix(found, [graded for graded in results if graded.seed == 0]))
    problems = proof.problems(found, results)
    if check:
        problems += proof_report.stale_pages(found, results)
    else:
        picture = ROOT / "runs" / f"proof-{found.name}.png"
        proof_report.draw_matrix(found, results, picture)
        for path in (picture, *proof_report.write_pages(found, results)):
            click.echo(f"written: {path.relative_to(ROOT)}")
    click.echo(proof_report.conclusion(found, results, problems))
    sys.exit(1 if problems else 0)


def _progress(count: int, name: str) -> None:
    """One line on a terminal that is written over; nothing elsewhere."""
    if sys.stderr.isatty():
        sys.stderr.write(f"\r\033[K{count} {name}" if count else "\r\033[K")
        sys.stderr.flush()


def main() -> None:
    try:
        cli()
    except LabError as error:
        click.echo(f"labkit: {error}", err=True)
        sys.exit(error.exit_code)


if __name__ == "__main__":
    main()
