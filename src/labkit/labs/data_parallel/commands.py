"""The command line of Lab 02's file, whose last line is `main(sys.modules[__name__])`, and its demo."""

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
from labkit.labs.data_parallel.experiments import beside_ddp as experiment
from labkit.labs.data_parallel.training import (
    CAP,
    HAND,
    HAND_BF16,
    PARAMETERS,
    WIDTHS,
    Run,
    Settings,
    beside_ddp,
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
QUESTION = "How many bytes does a rank send for each parameter of the model in a step?"
ONE_PROCESS = "one process has nobody to average with: make run-lab02 NPROC=2, or torchrun --nproc-per-node=2 {file}"


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
    help="The timeline, .png, .pdf or .svg.  [runs/lab02-timeline.png]",
)
@commandline.traceback_option
@click.pass_obj
def command(lab: LabFile, /, predict: float | None, plot: Path | None, **options: Any) -> None:
    """Trains on several ranks with the DataParallel that you have built and with torch's DDP, side by side."""
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
        runs = beside_ddp(lab.module, settings, advance)
    ranks.part()
    if first:
        assert plot is not None
        say_measured(runs, predict, plot, console)
        say_computed(lab.module, console)


def say_first(settings: Settings, ranks: int, predict: float | None, console: Console) -> None:
    """What will be trained, and the question."""
    sizes = "-".join(map(str, WIDTHS))
    say(
        f"{sizes} ({PARAMETERS:,} parameters) on {ranks} ranks: {settings.steps} steps of {settings.batch_size} "
        f"digits, {settings.batch_size // ranks} a rank; buckets of {CAP // 2**10} KiB.",
        console,
    )
    answer = "--predict BYTES compares your answer" if predict is None else f"You say {predict:g}"
    say(f"{QUESTION} {answer}.\n", console)


def say_measured(runs: dict[str, Run], predict: float | None, plot: Path, console: Console) -> None:
    """The table, what to notice, the prediction beside what was sent, and the timeline at `plot`."""
    measured = {"experiment": "beside-ddp", "title": experiment.TITLE, "data": experiment.as_json(runs)}
    running.show(measured, console)
    if predict is not None:
        sent = [runs[way].recorded[0].sent / PARAMETERS for way in (HAND, HAND_BF16)]
        verdict = "as you said" if f"{predict:.1f}" == f"{sent[0]:.1f}" else f"you said {predict:g}"
        console.print()
        say(f"Sent for each parameter: {sent[0]:.1f} bytes, {verdict}; with bfloat16 {sent[1]:.1f}.", console)
    write_whole(plot, running.picture(measured, kind=plot.suffix.lower().removeprefix(".")))
    console.print(f"Timeline: {shown(plot, Path.cwd())}\n", soft_wrap=True)


def say_computed(lab: ModuleType, console: Console) -> None:
    """What a rank of many would do in a step. Raises LabError if this PyTorch has no group to pose in."""
    table = Table("ranks", "wire", "calls", "sent", "on a ring", "ring, hops", "held by all", box=box.MARKDOWN)
    for column in table.columns:
        column.justify = "right"
    for ranks in SIZES:
        for way, wire in ((HAND, "fp32"), (HAND_BF16, "bf16")):
            step = step_of_one_rank(lab, way, ranks)
            bytes = [f"{number / PARAMETERS:.1f}" for number in (step.sent, step.on_a_ring(ranks))]
            hops = 2 * (ranks - 1) * len(step.calls)
            table.add_row(
                str(ranks), wire, str(len(step.calls)), *bytes, str(hops), f"{ranks * step.left / PARAMETERS:.0f}"
            )
    say("One rank of many, computed, not run: your DataParallel on a process that poses as rank 0.", console)
    console.print(table)
    say(
        "Bytes for each parameter. What a rank sends hardly grows with the ranks; the messages one after the other "
        "do, and every rank holds the whole model.",
        console,
    )


def _writable(plot: Path | None) -> Path:
    """Where the picture goes. Raises LabError if it cannot be written there: before anything is trained for it."""
    if plot is None:
        make_folder(RUNS, "--plot")
        plot = RUNS / "lab02-timeline.png"
    check_plot(plot)
    return plot


def demo(solution: Path, out: Path) -> None:
    """The demo: the training job with the reference solution on two ranks."""
    make_folder(out, "--out")
    launch(solution, 2, ["--plot", str(out / "lab02-timeline.png")])
