"""The commands that measure and draw."""

import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
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
    from labkit.experiments.running import module, owners

    names = [] if only_pages else list(owners())
    timed = [name for name in names if getattr(module(name), "TIMED", False)]
    _measure([name for name in names if name not in timed], out, at_once=os.cpu_count() or 1)
    _measure(timed, out, at_once=1)
    if only_pages or out.resolve() == pages.FIGURES:
        for line in pages.write_pages():
            click.echo(line)


def _measure(names: list[str], out: Path, at_once: int) -> None:
    """Each in its own process, so that none sees another's memory; ends with the first that fails."""

    def measured(name: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "labkit", "experiment", name, "--out", str(out)]
        return subprocess.run(command, stdout=subprocess.PIPE, text=True)

    with ThreadPoolExecutor(at_once) as pool:
        for ran in pool.map(measured, names):
            click.echo(ran.stdout)
            if ran.returncode:
                pool.shutdown(cancel_futures=True)
                sys.exit(ran.returncode)


COMMANDS = (experiment, figures)
