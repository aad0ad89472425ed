"""The command line of Lab 06's file, whose last line is `main(sys.modules[__name__])`, and its demo."""

from collections.abc import Sequence
from pathlib import Path
from types import ModuleType
from typing import Any

import click
from rich.console import Console

from labkit.course.files import make_folder, shown, write_whole
from labkit.course.loading import load_implementation
from labkit.course.manifest import ROOT
from labkit.labs.build_amp.training import DTYPES, Settings
from labkit.toolbox import commandline
from labkit.toolbox.commandline import LabFile

DEFAULTS = Settings()
RUNS = ROOT / "runs"
EXPERIMENT = "beside-torch"


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
    help="Instead: what a classic bug does; without NAME, which there are.",
)
@click.option("--dtype", type=click.Choice(list(DTYPES)), help="Train in this format only.  [both]")
@click.option("--steps", type=click.IntRange(min=10), help=f"Optimizer steps of each training.  [{DEFAULTS.steps}]")
@click.option("--seed", type=click.IntRange(0, 2**32 - 1), help=f"Weights and batches follow.  [{DEFAULTS.seed}]")
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
        raise click.UsageError("this lab's trainings are one process: leave torchrun out")
    if train == (bug is not None):
        raise click.UsageError("give either --train or --break NAME; --help says more")
    console = Console(highlight=False, markup=False)
    if bug is not None:
        show_break(lab.module, bug, plot, console, **given)
        return
    if "dtype" in given:
        given["dtypes"] = (given.pop("dtype"),)
    show_training(lab.module, Settings(**given), _checked(plot, "train"), console)


def show_training(lab: ModuleType, settings: Settings, plot: Path, console: Console) -> None:
    """Trains, prints the table and what to notice, and draws the picture at `plot`."""
    from labkit.experiments import running
    from labkit.labs.build_amp.experiments import beside_torch
    from labkit.labs.build_amp.training import beside_torch as trained
    from labkit.labs.build_amp.training import total_steps
    from labkit.toolbox.measure import one_thread
    from labkit.toolbox.progress import progress

    with one_thread(), progress("training", total_steps(settings), console) as advance:
        data = trained(lab, settings, advance)
    measured = {"experiment": EXPERIMENT, "title": beside_torch.TITLE, "data": data}
    running.show(measured, console)
    seconds = sum(run["seconds"] for run in data["runs"].values())
    write_whole(plot, running.picture(measured, kind=plot.suffix.lower().removeprefix(".")))
    console.print(f"Trained in {seconds:.0f} s. Picture: {shown(plot, Path.cwd())}", soft_wrap=True)


def show_break(lab: ModuleType, bug: str, plot: Path | None, console: Console, **given: Any) -> None:
    """Trains with the bug and without, prints what it did, and draws the picture."""


def _checked(plot: Path | None, what: str) -> Path:
    """Where the picture goes, before anything is trained for it. Raises LabError if it cannot be written there."""
    from labkit.toolbox.plots import check_plot

    if plot is None:
        make_folder(RUNS, "--plot")
        plot = RUNS / f"lab06-{what}.png"
    check_plot(plot)
    return plot


def demo(solution: Path, out: Path) -> None:
    """`make demo-lab06`: the training job with the reference solution."""
    make_folder(out, "--out")
    plot = _checked(out / "lab06-train.png", "train")
    show_training(load_implementation(solution), DEFAULTS, plot, Console(highlight=False, markup=False))
