"""The commands that measure and draw."""

import subprocess
import sys
from pathlib import Path

import click

from labkit.course.manifest import ROOT

DEFAULT = "solutions" if (ROOT / "solutions").is_dir() else "src"  # the students' copy has their own files alone


@click.command()
@click.argument("name")
@click.option("--impl", default=DEFAULT, help=f"Folder of the lab file: src, solutions or another.  [{DEFAULT}]")
@click.option(
    "--out", type=click.Path(path_type=Path), default=ROOT / "runs" / "experiments", help="Folder to write to."
)
def experiment(name: str, impl: str, out: Path) -> None:
    """Measure one thing on this machine, and draw it; a wrong NAME lists all."""
    from rich.console import Console

    from labkit.course.loading import implementation_path
    from labkit.experiments.running import owner, run

    run(name, implementation_path(impl, owner(name).stem, ROOT), out, Console(highlight=False))


@click.command()
@click.option("--out", type=click.Path(path_type=Path), default=ROOT / "docs" / "figures", help="Folder to write to.")
@click.option("--only-pages", is_flag=True, help="Measure nothing: put into the pages what was measured.")
def figures(out: Path, only_pages: bool) -> None:
    """Rebuild every figure of the pages by the experiments on the reference solutions; takes some minutes."""
    from labkit.experiments import pages
    from labkit.experiments.running import owners

    for name in [] if only_pages else owners():  # each in its own process, so that none sees another's memory
        ran = subprocess.run([sys.executable, "-m", "labkit", "experiment", name, "--out", str(out)])
        if ran.returncode:
            sys.exit(ran.returncode)
    if only_pages or out.resolve() == pages.FIGURES:
        for line in pages.write_pages():
            click.echo(line)


COMMANDS = (experiment, figures)
