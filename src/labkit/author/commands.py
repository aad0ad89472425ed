"""The commands for those who add a lab."""

import sys

import click

from labkit.course import manifest, screen
from labkit.course.screen import Line


@click.command("new-lab")
@click.option("--number", required=True, type=int, help="Of the lab: 9 makes lab09.")
@click.option("--stem", required=True, help="Names its file in every directory.")
@click.option("--steps", default=1, show_default=True, type=int, help="How many steps it begins with.")
def new_lab(number: int, stem: str, steps: int) -> None:
    """Write the files of a new lab, which run; make check-labNN then shows what is left to write."""
    from labkit.author.new_lab import new_lab

    for line in new_lab(number, stem, steps):
        click.echo(line)
    click.echo(f"Next: make check-lab{number:02d}")


@click.command("check-lab")
@click.argument("lab")
def check_lab(lab: str) -> None:
    """Check everything of LAB: manifest, files, pages, shown runs, proof and style."""
    from labkit.author.check_lab import check

    found = manifest.find(lab)
    screen.progress(f"checking {found.name}: about a minute")
    checked = check(found)
    screen.progress("")
    screen.show([*(Line(text) for text in checked.wrong), *(Line(text, indent=4) for text in checked.left)])
    if not (checked.wrong or checked.left):
        screen.show([Line(f"{found.name} is complete: manifest, files, pages, shown runs, proof and style.", "green")])
    sys.exit(1 if checked.wrong or checked.left else 0)


COMMANDS = (new_lab, check_lab)
