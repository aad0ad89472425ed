"""The commands that run a lab's own code: its command line and its demo."""

import subprocess
import sys
from pathlib import Path

import click

from labkit.course import manifest
from labkit.course.errors import LabError
from labkit.course.kits import has, kit
from labkit.course.loading import implementation_path
from labkit.course.manifest import ROOT


@click.command(context_settings={"ignore_unknown_options": True})
@click.argument("lab")
@click.option("--nproc", default=1, type=click.IntRange(1), help="How many processes.  [1]")
@click.option("--impl", default="src", help="Folder of the lab file: src, solutions or another.  [src]")
@click.option("--port", type=click.IntRange(1, 65535), help="Where the processes meet.  [a free one]")
@click.argument("options", nargs=-1, type=click.UNPROCESSED)
def run(lab: str, nproc: int, impl: str, port: int | None, options: tuple[str, ...]) -> None:
    """Run LAB's file with its own OPTIONS, alone or on many processes of this machine."""
    found = manifest.find(lab)
    file = implementation_path(impl, found.stem, ROOT)
    if not has(found, "commands"):
        raise LabError(f"{found.name} has no command line; make test-{found.name} tests it")
    if nproc == 1 and port is None and "--strategy" not in " ".join(options):
        if (code := _ended([sys.executable, str(file), *options])) == 1:
            kit(found, "commands")  # says so if it is what failed
        sys.exit(code)
    from labkit.toolbox.launch import launch

    try:
        launch(file, nproc, list(options), port)
    except LabError as error:  # the lab file's own line, alone; nothing after Ctrl-C
        if error.exit_code == 1:
            kit(found, "commands")
        if str(error):
            click.echo(str(error), err=True)
        sys.exit(error.exit_code)


def _ended(command: list[str]) -> int:
    """Runs a command to its end. Ctrl-C reaches it too: it may have something to save, and ends by itself."""
    with subprocess.Popen(command) as process:
        while True:
            try:
                return process.wait()
            except KeyboardInterrupt:
                continue


@click.command(hidden=not (ROOT / "solutions").is_dir())  # as in the students' copy
@click.argument("lab")
@click.option("--out", type=click.Path(path_type=Path), default=ROOT / "runs", help="Folder of the picture.")
def demo(lab: str, out: Path) -> None:
    """Train with LAB's reference solution, and draw what happens."""
    found = manifest.find(lab)
    commands = kit(found, "commands")
    if commands is None or not hasattr(commands, "demo"):
        raise LabError(f"{found.name} has no demo; make test-{found.name} tests it")
    commands.demo(implementation_path("solutions", found.stem, ROOT), out)


COMMANDS = (run, demo)
