"""The command line of Lab 04's file, whose last line is `main(sys.modules[__name__])`, and its demo."""

import math
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

import click

from labkit.course.errors import LabError
from labkit.labs.mixed_precision.checkpoint import State, Store, TrainingFile, settings_of
from labkit.labs.mixed_precision.training import DTYPES, MODELS, STRATEGIES, Settings, Training, check_device
from labkit.toolbox import commandline
from labkit.toolbox.commandline import LabFile

DEFAULTS = Settings()


def main(module: ModuleType, args: Sequence[str] | None = None) -> None:
    """Runs the command line on the lab file that is loaded as `module`; its MixedPrecisionTrainer does the work."""
    with warnings.catch_warnings():
        # A trainer is free to enter autocast for float32 too. Torch warns that it does nothing then: so it should.
        warnings.filterwarnings("ignore", "In .* autocast, but the target dtype is not supported", UserWarning)
        commandline.main(command, module, args)


def _positive(context: click.Context, parameter: click.Parameter, value: float | None) -> float | None:
    if value is not None and not (0 < value <= 2.0**127):
        raise click.BadParameter(f"{value:g} is not a number above 0 and at most 2**127.")
    return value


def _not_negative(context: click.Context, parameter: click.Parameter, value: float | None) -> float | None:
    if value is not None and not (0 <= value < math.inf):
        raise click.BadParameter(f"{value:g} is not a number that is finite and at least 0.")
    return value


_path = click.Path(dir_okay=False, path_type=Path)
_file_or_folder = click.Path(path_type=Path)
_count = click.IntRange(min=1)


@click.command(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.option("--dtype", type=click.Choice(list(DTYPES)), help=f"Format of the arithmetic.  [{DEFAULTS.dtype}]")
@click.option("--model", type=click.Choice(list(MODELS)), help=f"What is trained.  [{DEFAULTS.model}]")
@click.option("--epochs", type=_count, help=f"Passes over the data.  [{DEFAULTS.epochs}]")
@click.option("--batch-size", type=_count, help=f"Samples of a step, of all ranks.  [{DEFAULTS.batch_size}]")
@click.option("--lr", type=float, callback=_positive, help=f"AdamW's learning rate.  [{DEFAULTS.lr}]")
@click.option("--init-scale", type=float, callback=_positive, help="First loss scale of fp16.  [the trainer's own]")
@click.option("--max-grad-norm", type=float, callback=_not_negative, help="Clips the true gradients.  [no clipping]")
@click.option(
    "--seed",
    type=click.IntRange(0, 2**32 - 1),
    help=f"Seed of the weights and of the order of batches.  [{DEFAULTS.seed}]",
)
@click.option("--device", type=click.Choice(["cpu", "cuda"]), default="cpu", help="Where to compute.  [cpu]")
@click.option("--strategy", type=click.Choice(STRATEGIES), help="How torchrun's processes train together.  [ddp]")
@click.option("--plot", type=_path, metavar="PATH", help="Draw loss and loss scale (.png, .pdf or .svg).")
@click.option(
    "--checkpoint",
    type=_file_or_folder,
    metavar="PATH",
    help="Save the state of the training to PATH; under torchrun PATH is a folder, from which it resumes.",
)
@click.option("--checkpoint-every", type=_count, metavar="N", help="Save after every N steps.  [every epoch]")
@click.option("--resume", type=_file_or_folder, metavar="PATH", help="Resume from a checkpoint, bit for bit.")
@click.option("--compare", is_flag=True, help="Instead: memory, speed, stability of the formats, measured here.")
@click.option("--audit", is_flag=True, help="Instead: which operation of a step ran in which dtype.")
@commandline.traceback_option
@click.pass_obj
def command(lab: LabFile, /, device: str, compare: bool, audit: bool, **options: Any) -> None:
    """Trains a small network on handwritten digits in mixed precision."""
    given = {name: value for name, value in options.items() if value is not None}
    if compare and audit:
        raise click.UsageError("--compare and --audit are two commands: give one of them")
    if lab.ranks and (compare or audit):
        raise click.UsageError("--compare and --audit measure one process: leave torchrun out")
    if compare:
        _only(given, "--compare", allowed=set())
        from labkit.labs.mixed_precision.compare import print_at_scale, print_comparison

        print_comparison(lab.module, device)
        print_at_scale(lab.module)
    elif audit:
        _only(given, "--audit", allowed={"dtype", "model", "batch_size", "seed"})
        from labkit.labs.mixed_precision.audit import print_audit

        print_audit(lab.module, Settings(**given), device)
    else:
        train(lab, resolve(lab, device, **given))


def _only(given: dict[str, Any], command_name: str, allowed: set[str]) -> None:
    for name in given:
        if name not in allowed:
            raise click.UsageError(f"{command_name} takes no --{name.replace('_', '-')}")


@dataclass(frozen=True)
class Plan:
    """A training that the command line asks for.

    Attributes:
        source, state: where it goes on from, and what was read there.
        store, every: where its state is saved, after every so many steps (None: after every epoch).
    """

    settings: Settings
    device: str
    source: Store | None
    state: State | None
    store: Store | None
    every: int | None
    plot: Path | None


def resolve(
    lab: LabFile,
    device: str,
    plot: Path | None = None,
    checkpoint: Path | None = None,
    checkpoint_every: int | None = None,
    resume: Path | None = None,
    **given: Any,
) -> Plan:
    """The plan behind the options, of which `given` are settings; what is wrong with them is said before any training.

    Raises:
        UsageError: two options contradict each other.
        LabError: a path cannot be written or read, or the device is not there.
    """
    kind: type[Store] = TrainingFile
    if lab.ranks:
        from labkit.labs.mixed_precision.sharded_checkpoint import TrainingFolder

        given, kind = {"strategy": STRATEGIES[0]} | given, TrainingFolder
    elif "strategy" in given:
        instead = f"torchrun --nproc_per_node=2 {lab.shown} --strategy {given['strategy']}"
        raise click.UsageError(f"--strategy is for many processes, and this is one: {instead}")
    if plot:
        from labkit.toolbox.plots import check_plot

        check_plot(plot)
    if checkpoint_every and not checkpoint:
        raise click.UsageError("--checkpoint-every needs --checkpoint PATH")
    store, source = (kind(path) if path else None for path in (checkpoint, resume))
    if store:
        store.check()
    if store and store.goes_on():
        if source and source.path.resolve() != store.path.resolve():
            raise click.UsageError(f"--resume {resume}: --checkpoint {checkpoint} holds a training already; give one")
        source = store
    state = source.load() if source else None
    settings = settings_of(source.path, state, given) if source and state else Settings(**given)
    if settings.init_scale is not None and settings.dtype != "fp16":
        raise click.UsageError(f"--init-scale goes with --dtype fp16: {settings.dtype} trains without a loss scale")
    check_device(device)
    return Plan(settings, device, source, state, store, checkpoint_every, plot)


def train(lab: LabFile, plan: Plan) -> None:
    """Trains to the end of the plan, and says how it went. Raises LabError if the training came to nothing."""
    if lab.ranks:
        lab.ranks.join(plan.device)
    first = lab.ranks is None or lab.ranks.rank == 0
    say = click.echo if first else lambda text: None
    training = Training(lab.module, plan.settings, plan.device, lab.ranks)
    source, store, every = plan.source, plan.store, plan.every or training.batches_per_epoch
    if source and plan.state:
        source.restore(training, plan.state)
        say(f"resumed from {source.path} after {len(training.history)} steps, {plan.state['threads']} threads")
        if store and store.path != source.path and training.finished:
            store.save(training)  # nothing is left to train, but a file was asked for
    while not training.finished:
        training.step()
        if training.batch == 0:
            say(training.epoch_line(training.epoch - 1))
        if store and (training.finished or len(training.history) % every == 0):
            store.save(training)
    failure = training.failure()
    if not failure:
        say("\n".join([training.banner(), *training.remarks()]))
    if store:
        say(f"saved: {store.path}; --resume {store.path} with more --epochs continues it")
    if plan.plot and first:
        from labkit.toolbox.plots import COLOURS, Curve, draw_trainings

        label = f"{plan.settings.dtype}, {plan.settings.model}"
        draw_trainings([Curve(label, training.history, COLOURS[plan.settings.dtype])], plan.plot)
        say(f"drawn: {plan.plot}")
    if failure:
        raise LabError(failure)


def demo(solution: Path, out: Path) -> None:
    """The demo: trains the reference solution in every format, and draws what happens."""
    from labkit.labs.mixed_precision.demo import run_demo

    run_demo(solution, out)
