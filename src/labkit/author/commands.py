"""The commands for those who add a lab, or hand the course out."""

import sys
from pathlib import Path

import click

from labkit.course import manifest, screen
from labkit.course.errors import LabError
from labkit.course.files import check_writable, write_whole
from labkit.course.manifest import ROOT
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
    indent = 4 if sys.stdout.isatty() else 0  # 0 wraps nothing: a line each for whatever reads them
    screen.show([*(Line(text) for text in checked.wrong), *(Line(text, indent=indent) for text in checked.left)])
    if not (checked.wrong or checked.left):
        screen.show([Line(f"{found.name} is complete: manifest, files, pages, shown runs, proof and style.", "green")])
    sys.exit(1 if checked.wrong or checked.left else 0)


@click.command()
@click.option("--out", required=True, type=click.Path(path_type=Path), help="The zip to write.")
def release(out: Path) -> None:
    """Write the students' copy of the course as a zip, if it holds no answer and works."""
    from labkit.author.release import archive, check, students_copy

    check_writable(out, "--out")
    files = students_copy(ROOT)
    data = archive(files)
    for what, wrong in check(data, ROOT):
        click.echo(f"{'FAILED' if wrong else 'ok'}: {what}")
        for line in wrong:
            click.echo(f"  {line}")
        if wrong:
            raise LabError(f"{out} is not written: the students' copy is not right")
    write_whole(out, data)
    click.echo(f"Written: {out}, {len(files)} files, {len(data) / 1e6:.1f} MB.")


COMMANDS = (new_lab, check_lab, release)
