"""The command line of Lab 06's file, whose last line is `main(sys.modules[__name__])`, and its demo."""

import textwrap
from collections.abc import Sequence
from pathlib import Path
from types import ModuleType
from typing import Any

import click
from rich.console import Console

from labkit.course.files import make_folder, shown, write_whole
from labkit.course.loading import load_implementation
from labkit.course.manifest import ROOT
from labkit.experiments import running
from labkit.experiments.style import saved, themed
from labkit.labs.build_amp.breaks import BREAKS
from labkit.labs.build_amp.experiments import beside_torch
from labkit.labs.build_amp.panels import draw
from labkit.labs.build_amp.training import DTYPES, Settings, total_steps
from labkit.labs.build_amp.training import beside_torch as trained_beside_torch
from labkit.toolbox import commandline
from labkit.toolbox.commandline import LabFile
from labkit.toolbox.measure import one_thread
from labkit.toolbox.plots import check_plot
from labkit.toolbox.progress import progress

DEFAULTS = Settings()
RUNS = ROOT / "runs"


def main(module: ModuleType, args: Sequence[str] | None = None) -> None:
    """Runs the command line on the lab file that is loaded as `module`."""
    commandline.main(command, module, args)


@click.command(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.option("--train", is_flag=True, help="Train a deep network with your AMP, with torch.amp and in fp32.")
@click.option(
    "--break",
    "bug",
    is_flag=False,
    flag_value="",
    metavar="NAME",
    help="Show what a classic bug does; without NAME, list the bugs.",
)
@click.option("--dtype", type=click.Choice(list(DTYPES)), help="Train in this format only.  [both]")
@click.option("--steps", type=click.IntRange(min=10), help=f"Optimizer steps of each training.  [{DEFAULTS.steps}]")
@click.option("--seed", type=click.IntRange(0, 2**32 - 1), help=f"Seed of weights and batches.  [{DEFAULTS.seed}]")
@click.option(
    "--plot",
    type=click.Path(dir_okay=False, path_type=Path),
    metavar="PATH",
    help="The picture, .png, .pdf or .svg.  [runs/lab06-WHAT.png]",
)
@commandline.traceback_option
@click.pass_obj
def command(lab: LabFile, /, train: bool, bug: str | None, plot: Path | None, **options: Any) -> None:
    """Trains with the AMP that you have built, or shows what a bug in it does."""
    given = {name: value for name, value in options.items() if value is not None}
    if lab.ranks:
        raise click.UsageError("these trainings are one process each: leave torchrun out")
    if train == (bug is not None):
        raise click.UsageError("give one of --train and --break NAME; --help shows what else there is")
    console = Console(highlight=False, markup=False)
    if train:
        dtype = given.pop("dtype", None)
        settings = Settings(**given | ({"dtypes": (dtype,)} if dtype else {}))
        show_training(lab.module, settings, _writable(plot, "train"), console)
        return
    if not bug:
        for name, found in BREAKS.items():
            console.print(f"{name}  {found.bug}")
        return
    if bug not in BREAKS:
        raise click.UsageError(f"there is no bug {bug!r}; --break without a NAME lists them")
    for name in given.keys() - {"seed"}:
        raise click.UsageError(f"--break takes no --{name}")
    show_break(lab.module, bug, given.get("seed", DEFAULTS.seed), _writable(plot, f"break-{bug}"), console)


def show_training(lab: ModuleType, settings: Settings, plot: Path, console: Console) -> None:
    """Trains, prints the table and what to notice, and draws the picture at `plot`."""
    with one_thread(), progress("training", total_steps(settings), console) as advance:
        data = trained_beside_torch(lab, settings, advance)
    measured = {"experiment": "beside-torch", "title": beside_torch.TITLE, "data": data}
    running.show(measured, console)
    write_whole(plot, running.picture(measured, kind=_kind(plot)))
    seconds = sum(run["seconds"] for run in data["runs"].values())
    console.print(f"Trained for {seconds:.0f} s. Picture: {shown(plot, Path.cwd())}", soft_wrap=True)


def show_break(lab: ModuleType, name: str, seed: int, plot: Path, console: Console) -> None:
    """Trains with a bug and without, prints what it did, and draws the picture at `plot`."""
    found = BREAKS[name]
    with one_thread(), progress(name, found.steps, console) as advance:
        panels, says = found.run(lab, seed, advance)
    console.print(textwrap.fill(f"{name}: {found.bug}.", 78))
    console.print(textwrap.fill(says, 78))
    with themed():
        write_whole(plot, saved(draw(panels), _kind(plot)))
    console.print(f"Picture: {shown(plot, Path.cwd())}", soft_wrap=True)


def _kind(plot: Path) -> str:
    return plot.suffix.lower().removeprefix(".")


def _writable(plot: Path | None, what: str) -> Path:
    """Where the picture goes. Raises LabError if it cannot be written there: before anything is trained for it."""
    if plot is None:
        make_folder(RUNS, "--plot")
        plot = RUNS / f"lab06-{what}.png"
    check_plot(plot)
    return plot


def demo(solution: Path, out: Path) -> None:
    """The demo: the training job with the reference solution."""
    make_folder(out, "--out")
    plot = _writable(out / "lab06-train.png", "train")
    show_training(load_implementation(solution), DEFAULTS, plot, Console(highlight=False, markup=False))
