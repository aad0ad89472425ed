"""The command that makes a report."""

from pathlib import Path

import click

from labkit.course import manifest
from labkit.course.manifest import ROOT


@click.command()
@click.argument("lab")
@click.option("--impl", default="src", help="Folder of the lab file: src, solutions or another.  [src]")
@click.option("--out", type=click.Path(path_type=Path), default=ROOT / "reports", help="Folder of the page.  [reports]")
@click.option("--only", default="", metavar="NAME,...", help="Measure only these parts.")
def report(lab: str, impl: str, out: Path, only: str) -> None:
    """One page of an implementation of LAB: its steps, and what it measures on this machine."""
    from labkit.course.files import shown
    from labkit.report.page import write_report

    names = [name for name in only.split(",") if name]
    click.echo(f"written: {shown(write_report(manifest.find(lab), impl, out, names, click.echo), ROOT)}")


COMMANDS = (report,)
