"""The command line of Lab 04's file, whose last line is `main(sys.modules[__name__])`, and its demo."""

import math
import re
import sys
import traceback
from collections.abc import Sequence
from pathlib import Path
from types import ModuleType
from typing import Any, NamedTuple

import click

from labkit.course import manifest
from labkit.course.errors import LabError
from labkit.course.files import shown
from labkit.course.loading import line_in
from labkit.labs.mixed_precision.checkpoint import settings_of
from labkit.labs.mixed_precision.training import DTYPES, MODELS, STRATEGIES, Settings, Training, check_device
from labkit.toolbox import distributed
from labkit.toolbox.distributed import Ranks

UNSOLVED = 2  # exit code of a step that is still to be written
INTERRUPTED = 130  # exit code after Ctrl-C, as shells have it
DEFAULTS = Settings()


def main(module: ModuleType, args: Sequence[str] | None = None) -> None:
    """Runs the command line on the lab file that is loaded as `module`; every problem ends in one line on stderr.

    Args:
        module: the lab file; its MixedPrecisionTrainer does the work.
        args: the arguments, by default those of the process.

    Raises:
        SystemExit: code 2 for an unsolved step or a wrong option, 130 after Ctrl-C, 1 for any other problem.
    """
    arguments = sys.argv[1:] if args is None else list(args)
    ranks = distributed.of_torchrun()
    ending = _run(module, arguments, ranks)
    if ranks:
        ranks.end(*ending)
    if ending.line:
        click.echo(ending.line, err=True)
    if ending.code:
        sys.exit(ending.code)


class Ending(NamedTuple):
    """How a command ended: what to say, the exit code, and whether another rank is the reason."""

    line: str = ""
    code: int = 0
    lost_another: bool = False


def _run(module: ModuleType, arguments: list[str], ranks: Ranks | None) -> Ending:
    try:
        if ranks:
            ranks.meet()
        name = Path(module.__file__).name
        code = command.main(arguments, name, standalone_mode=False, obj=(module, ranks))
        if ranks:
            ranks.part()
        return Ending(code=code or 0)  # click has a code of its own, after --help for one
    except click.Abort:
        return Ending(code=INTERRUPTED)
    except click.ClickException as error:
        return Ending(_one_line(error.format_message()), error.exit_code)
    except LabError as error:
        return Ending(_one_line(str(error)), error.exit_code)
    except Exception as error:
        unsolved = _unsolved_step(error, module)
        if unsolved:
            return Ending(_one_line(unsolved), UNSOLVED)
        lost = distributed.lost_another(error) if ranks else None
        if "--traceback" in arguments:
            if ranks is None:
                raise
            return Ending(f"rank {ranks.rank}: {traceback.format_exc()}", 1, bool(lost))
        rank = f"rank {ranks.rank}: " if ranks and ranks.size > 1 else ""
        reason = lost or _describe(error, module)
        return Ending(_one_line(f"{rank}{reason}; --traceback shows how it came to that"), 1, bool(lost))


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
@click.option("--dtype", type=click.Choice(list(DTYPES)), help=f"What the arithmetic runs in.  [{DEFAULTS.dtype}]")
@click.option("--model", type=click.Choice(list(MODELS)), help=f"What is trained.  [{DEFAULTS.model}]")
@click.option("--epochs", type=_count, help=f"Passes over the digits.  [{DEFAULTS.epochs}]")
@click.option("--batch-size", type=_count, help=f"Samples of a step, of all ranks.  [{DEFAULTS.batch_size}]")
@click.option("--lr", type=float, callback=_positive, help=f"AdamW's learning rate.  [{DEFAULTS.lr}]")
@click.option("--init-scale", type=float, callback=_positive, help="First loss scale of fp16.  [the trainer's own]")
@click.option("--max-grad-norm", type=float, callback=_not_negative, help="Clips the true gradients.  [no clipping]")
@click.option("--seed", type=click.IntRange(0, 2**32 - 1), help=f"Weights and order follow.  [{DEFAULTS.seed}]")
@click.option("--device", type=click.Choice(["cpu", "cuda"]), default="cpu", help="Where to compute.  [cpu]")
@click.option("--strategy", type=click.Choice(STRATEGIES), help="How torchrun's processes train together.  [ddp]")
@click.option("--plot", type=_path, metavar="PATH", help="Draw loss and loss scale (.png, .pdf or .svg).")
@click.option(
    "--checkpoint",
    type=_file_or_folder,
    metavar="PATH",
    help="Save the training's state to PATH, again and again; under torchrun a folder, and its training goes on.",
)
@click.option("--checkpoint-every", type=_count, metavar="N", help="Save after every N steps.  [every epoch]")
@click.option("--resume", type=_file_or_folder, metavar="PATH", help="Go on from a checkpoint, bit for bit.")
@click.option("--compare", is_flag=True, help="Instead: memory, speed, stability of the formats, measured here.")
@click.option("--audit", is_flag=True, help="Instead: which operation of a step ran in which dtype.")
@click.option(
    "--traceback", is_flag=True, expose_value=False, help="Show the whole traceback of an error in the lab file."
)
@click.pass_context
def command(context: click.Context, /, device: str, compare: bool, audit: bool, **options: Any) -> None:
    """Trains a small network on handwritten digits in mixed precision."""
    lab, ranks = context.obj
    given = {name: value for name, value in options.items() if value is not None}
    if compare and audit:
        raise click.UsageError("--compare and --audit are two commands: give one of them")
    if ranks and (compare or audit):
        raise click.UsageError("--compare and --audit measure one process: leave torchrun out")
    if compare:
        _only(given, "--compare", allowed=set())
        from labkit.labs.mixed_precision.compare import print_comparison

        print_comparison(lab, device)
    elif audit:
        _only(given, "--audit", allowed={"dtype", "model", "batch_size", "seed"})
        from labkit.labs.mixed_precision.audit import print_audit

        print_audit(lab, Settings(**given), device)
    else:
        files = {name: given.pop(name, None) for name in ("plot", "checkpoint", "checkpoint_every", "resume")}
        _train(lab, device, given, ranks, **files)


def _train(
    lab: ModuleType,
    device: str,
    given: dict[str, Any],
    ranks: Ranks | None,
    plot: Path | None,
    checkpoint: Path | None,
    checkpoint_every: int | None,
    resume: Path | None,
) -> None:
    """Trains to the end, from the start or from a checkpoint; `given` are the settings of the command line."""
    if ranks:
        given = {"strategy": STRATEGIES[0]} | given
    elif "strategy" in given:
        target = f"torchrun --nproc_per_node=2 {_file(lab)} --strategy {given['strategy']}"
        raise click.UsageError(f"--strategy is for many processes, and this is one: {target}")
    if plot:
        from labkit.toolbox.plots import check_plot

        check_plot(plot)
    if checkpoint_every and not checkpoint:
        raise click.UsageError("--checkpoint-every needs --checkpoint PATH")
    if ranks:
        from labkit.labs.mixed_precision import sharded_checkpoint as checkpoints
    else:
        from labkit.labs.mixed_precision import checkpoint as checkpoints
    if checkpoint:
        checkpoints.check(checkpoint)  # a file of another kind is not written over
    if ranks and checkpoint and checkpoints.newest(checkpoint):
        if resume and resume.resolve() != checkpoint.resolve():
            raise click.UsageError(f"--resume {resume}: --checkpoint {checkpoint} holds a training already; give one")
        resume = checkpoint  # torchrun started all ranks anew after one failed, or somebody ran the same command again
    state = checkpoints.load(resume) if resume else None
    settings = settings_of(resume, state, given) if state else Settings(**given)
    if settings.init_scale is not None and settings.dtype != "fp16":
        raise click.UsageError(f"--init-scale goes with --dtype fp16: {settings.dtype} trains without a loss scale")

    check_device(device)
    if ranks:
        ranks.join(device)
    training = Training(lab, settings, device, ranks=ranks)
    first = ranks is None or ranks.rank == 0
    say = click.echo if first else lambda text: None
    if state:
        checkpoints.restore(training, resume, state)
        say(f"resumed from {resume} after {len(training.history)} steps, {state['threads']} threads")
    if checkpoint and checkpoint != resume and training.finished:
        checkpoints.save(training, checkpoint)  # nothing is left to train, but a file was asked for
    while not training.finished:
        training.step()
        if training.batch == 0:
            say(training.epoch_line(training.epoch - 1))
        if checkpoint and (
            training.finished or len(training.history) % (checkpoint_every or training.batches_per_epoch) == 0
        ):
            checkpoints.save(training, checkpoint)
    say(training.banner())
    if checkpoint:
        say(f"saved: {checkpoint}; --resume {checkpoint} with more --epochs goes on")
    if plot and first:
        from labkit.toolbox.plots import COLOURS, Curve, draw_trainings

        label = f"{settings.dtype}, {settings.model}"
        draw_trainings([Curve(label, training.history, COLOURS[settings.dtype])], plot)
        say(f"drawn: {plot}")


def _only(given: dict[str, Any], command_name: str, allowed: set[str]) -> None:
    for name in given:
        if name not in allowed:
            raise click.UsageError(f"{command_name} takes no --{name.replace('_', '-')}")


def _unsolved_step(error: Exception, module: ModuleType) -> str | None:
    """What to do and to read, if `error` is what the stub of an unsolved step raises; else None."""
    match = re.fullmatch(r"Step (\d+): (\S+)", str(error))
    if not isinstance(error, NotImplementedError) or not match:
        return None
    number, function = int(match[1]), match[2]
    line = f"Step {number} is still to be solved: write {function} in {_file(module)}"
    try:
        lab = manifest.find(Path(module.__file__).stem)
        return f"{line}; read {lab.reading}#{lab.step(number).read}"
    except (LabError, StopIteration):  # a copy under another name, outside the course
        return line


def _describe(error: Exception, module: ModuleType) -> str:
    """Type, message and line of the lab file; of the file where it arose if the lab file had returned by then."""
    where = line_in(module.__file__, error)
    if where:
        where = f"{_file(module)}, {where}"
    else:
        frame = traceback.extract_tb(error.__traceback__)[-1]
        where = f"{frame.filename}, line {frame.lineno}, after the lab file had returned"
    return f"{where}: {type(error).__name__}: {error}"


def _file(module: ModuleType) -> str:
    return shown(Path(module.__file__).resolve(), Path.cwd())


def _one_line(message: str) -> str:
    return " ".join(message.split())


def demo(solution: Path, out: Path) -> None:
    """`make demo`: trains the reference solution in every format, and draws what happens."""
    from labkit.labs.mixed_precision.demo import run_demo

    run_demo(solution, out)
