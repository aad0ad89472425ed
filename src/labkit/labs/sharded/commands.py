"""The command line of Lab 03's file, whose last line is `main(sys.modules[__name__])`, and its demo."""

from collections.abc import Sequence
from pathlib import Path
from types import ModuleType
from typing import Any

import click
from rich import box
from rich.console import Console
from rich.table import Table

from labkit.course.files import make_folder, shown, write_whole
from labkit.course.manifest import ROOT
from labkit.experiments import running
from labkit.labs.sharded.experiments import beside_fsdp2 as experiment
from labkit.labs.sharded.training import (
    HAND,
    HAND_BF16,
    PARAMETERS,
    WIDTHS,
    ZERO1,
    Run,
    Settings,
    beside_fsdp2,
    step_of_one_rank,
    total_steps,
)
from labkit.toolbox import commandline
from labkit.toolbox.commandline import LabFile, say
from labkit.toolbox.datasets import digits_split
from labkit.toolbox.distributed import check_batch
from labkit.toolbox.launch import launch
from labkit.toolbox.plots import check_plot
from labkit.toolbox.posing import SIZES
from labkit.toolbox.progress import progress

DEFAULTS = Settings()
RUNS = ROOT / "runs"
QUESTION = "How many bytes does a rank hold for each parameter when a sharded step of AdamW in float32 is over?"
ONE_PROCESS = "one process has nobody to shard with: make run-lab03 NPROC=2, or torchrun --nproc-per-node=2 {file}"


def main(module: ModuleType, args: Sequence[str] | None = None) -> None:
    """Runs the command line on the lab file that is loaded as `module`."""
    commandline.main(command, module, args)


@click.command(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.option("--predict", type=click.FloatRange(min=0), metavar="BYTES", help=f"Your answer first. {QUESTION}")
@click.option("--steps", type=click.IntRange(min=1), help=f"Optimizer steps of each training.  [{DEFAULTS.steps}]")
@click.option(
    "--batch-size", type=click.IntRange(min=1), help=f"Samples of a step, of all ranks.  [{DEFAULTS.batch_size}]"
)
@click.option("--seed", type=click.IntRange(0, 2**32 - 1), help=f"Seed of weights and batches.  [{DEFAULTS.seed}]")
@click.option(
    "--plot",
    type=click.Path(dir_okay=False, path_type=Path),
    metavar="PATH",
    help="The timeline, .png, .pdf or .svg.  [runs/lab03-timeline.png]",
)
@commandline.traceback_option
@click.pass_obj
def command(lab: LabFile, /, predict: float | None, plot: Path | None, **options: Any) -> None:
    """Trains on several ranks with what you have sharded, with FSDP2 and with DDP, side by side."""
    settings = Settings(**{name: value for name, value in options.items() if value is not None})
    ranks = lab.ranks
    if ranks is None or ranks.size == 1:
        raise click.UsageError(ONE_PROCESS.format(file=lab.shown))
    check_batch(settings.batch_size, ranks.size, len(digits_split()[0]))
    first = ranks.rank == 0
    if first:
        plot = _writable(plot)
    ranks.join("cpu")
    console = Console(highlight=False, markup=False, quiet=not first)
    say_first(settings, ranks.size, predict, console)
    with progress("training", total_steps(settings), console) as advance:
        runs = beside_fsdp2(lab.module, settings, advance)
    ranks.part()
    if first:
        assert plot is not None
        say_measured(runs, predict, plot, console)
        say_computed(lab.module, console)


def say_first(settings: Settings, ranks: int, predict: float | None, console: Console) -> None:
    """What will be trained, and the question."""
    say(
        f"{'-'.join(map(str, WIDTHS))} ({PARAMETERS:,} parameters) on {ranks} ranks: {settings.steps} steps of "
        f"{settings.batch_size} digits, {settings.batch_size // ranks} a rank, AdamW; each linear layer is a unit.",
        console,
    )
    answer = "--predict BYTES compares your answer" if predict is None else f"You say {predict:g}"
    say(f"{QUESTION} {answer}.\n", console)


def say_measured(runs: dict[str, Run], predict: float | None, plot: Path, console: Console) -> None:
    """The table, what to notice, the prediction beside what is held, and the timeline at `plot`."""
    measured = {"experiment": "beside-fsdp2", "title": experiment.TITLE, "data": experiment.as_json(runs)}
    running.show(measured, console)
    if predict is not None:
        held = runs[HAND].recorded[0].left / PARAMETERS
        verdict = "as you said" if f"{predict:.1f}" == f"{held:.1f}" else f"you said {predict:g}"
        console.print()
        say(f"Held for each parameter: {held:.1f} bytes, {verdict}.", console)
    write_whole(plot, running.picture(measured, kind=plot.suffix.lower().removeprefix(".")))
    console.print(f"Timeline: {shown(plot, Path.cwd())}\n", soft_wrap=True)


def say_computed(lab: ModuleType, console: Console) -> None:
    """What a rank of many would hold and send. Raises LabError if this PyTorch has no group to pose in."""
    table = Table("ranks", "way", "held", "most", "sent", "on a ring", "calls", box=box.MARKDOWN)
    for number, column in enumerate(table.columns):
        column.justify = "left" if number == 1 else "right"
    for ranks in SIZES:
        for way in (ZERO1, HAND, HAND_BF16):
            step = step_of_one_rank(lab, way, ranks)
            sizes = (step.left, step.most, step.sent, step.on_a_ring(ranks))
            table.add_row(str(ranks), way, *(f"{size / PARAMETERS:.2f}" for size in sizes), str(len(step.calls)))
    say("One rank of many, computed, not run: your code on a process that poses as rank 0.", console)
    console.print(table)
    say(
        "Bytes for each parameter. What a rank holds between the steps shrinks with the ranks; the most is one whole "
        "unit and its gradients, and does not.",
        console,
    )


def _writable(plot: Path | None) -> Path:
    """Where the picture goes. Raises LabError if it cannot be written there: before anything is trained for it."""
    if plot is None:
        make_folder(RUNS, "--plot")
        plot = RUNS / "lab03-timeline.png"
    check_plot(plot)
    return plot


def demo(solution: Path, out: Path) -> None:
    """The demo: the training job with the reference solution on two ranks."""
    make_folder(out, "--out")
    launch(solution, 2, ["--plot", str(out / "lab03-timeline.png")])
