"""The command line of Lab 07's file, whose last line is `main(sys.modules[__name__])`, and its demo."""

import textwrap
from collections.abc import Callable, Sequence
from pathlib import Path
from types import ModuleType
from typing import Any

import click
import torch
from rich.console import Console

from labkit.course.errors import LabError
from labkit.course.files import check_writable, make_folder, shown, write_json, write_whole
from labkit.course.loading import load_implementation
from labkit.course.manifest import ROOT
from labkit.experiments.style import saved, themed
from labkit.labs.capstones import parity, pictures
from labkit.labs.capstones.bert import Polarity
from labkit.labs.capstones.images import DATA, Images
from labkit.labs.capstones.tables import results, show_table, stopped
from labkit.labs.capstones.training import DTYPES, Job, Trained, chosen, train_all
from labkit.labs.capstones.words import Words
from labkit.toolbox import commandline
from labkit.toolbox.commandline import INTERRUPTED, LabFile
from labkit.toolbox.measure import hardware, one_thread
from labkit.toolbox.progress import progress

RUNS = ROOT / "runs"
DOWNLOADS = RUNS / "downloads"
JOBS = ("words", "images", "bert")
PARITY, PARITY_SEEDS = "parity", 3


def main(module: ModuleType, args: Sequence[str] | None = None) -> None:
    """Runs the command line on the lab file that is loaded as `module`."""
    commandline.main(command, module, args)


@click.command(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.argument("job", type=click.Choice([*JOBS, PARITY]))
@click.option("--dtype", multiple=True, type=click.Choice(list(DTYPES)), help="A format; may be repeated.  [all quick]")
@click.option("--seeds", type=click.IntRange(1, parity.MOST_SEEDS), help="Trainings in each format.  [1; parity: 3]")
@click.option("--device", type=click.Choice(["cpu", "cuda"]), default="cpu", help="Where to compute.  [cpu]")
@click.option("--data", type=click.Choice(DATA), help="What images learns: MNIST, or the course's digits.  [mnist]")
@click.option("--pretrained", metavar="NAME_OR_FOLDER", help="Another BERT, through transformers.  [a pinned MiniLM]")
@click.option(
    "--downloads",
    type=click.Path(file_okay=False, path_type=Path),
    default=DOWNLOADS,
    help="Where data and weights are kept.  [runs/downloads]",
)
@click.option(
    "--out",
    type=click.Path(file_okay=False, path_type=Path),
    default=RUNS,
    help="Where curves and picture go.  [runs]",
)
@commandline.traceback_option
@click.pass_obj
def command(
    lab: LabFile,
    /,
    job: str,
    dtype: tuple[str, ...],
    seeds: int | None,
    device: str,
    data: str | None,
    pretrained: str | None,
    downloads: Path,
    out: Path,
) -> None:
    """Trains a capstone in float32 and in half precision: words, images or bert; parity compares all three."""
    if lab.ranks:
        raise click.UsageError("these trainings are one process each: leave torchrun out")
    if data and job not in ("images", PARITY):
        raise click.UsageError(f"--data is for images: {job} has no other data")
    if pretrained and job not in ("bert", PARITY):
        raise click.UsageError(f"--pretrained is for bert: {job} has no pretrained weights")
    if job == PARITY and len(set(dtype) - {"fp32"}) == 0 and dtype:
        raise click.UsageError("parity compares with fp32: name bf16 or fp16 with --dtype")
    if job == PARITY and seeds == 1:
        raise click.UsageError("parity needs --seeds 2 or more: one difference has no interval")
    if device == "cuda" and not torch.cuda.is_available():
        raise LabError("--device cuda: PyTorch finds no GPU here; leave --device out")
    makers: dict[str, Callable[[], Job]] = {
        "words": lambda: Words(device),
        "images": lambda: Images(downloads, data or DATA[0], device),
        "bert": lambda: Polarity(downloads, pretrained, device),
    }
    console = Console(highlight=False, markup=False)
    whole = job == PARITY
    check_outputs(out, [*JOBS, PARITY] if whole else [job])
    jobs = [makers[name]() for name in (JOBS if whole else [job])]
    dtypes = [name for name in DTYPES if name in dtype or (whole and name == "fp32")] if dtype else []
    found, emulated = [], list[str]()
    for one in jobs:
        trained = train_and_show(lab.module, one, dtypes, seeds or (PARITY_SEEDS if whole else 1), device, out, console)
        found += parity.differences(trained)
        emulated += [name for name in trained.emulated if name in trained.dtypes and name not in emulated]
    if found:
        show_table(parity.rows(found), console)
        console.print(textwrap.fill(parity.says(found), 78))
    if whole:
        save_parity(found, emulated, f"make parity-lab07 IMPL={Path(str(lab.module.__file__)).parent.name}", out)


def train_and_show(
    lab: ModuleType, job: Job, dtypes: list[str], seeds: int, device: str, out: Path, console: Console
) -> Trained:
    """Trains a job, prints what came of it, and writes lab07-JOB.json and .png to `out`.

    Raises:
        LabError: Ctrl-C; the curves so far are written.
    """
    console.print(f"{job.title}.")
    for source in job.sources:
        console.print(textwrap.fill(f"Data: {source}.", 78, subsequent_indent="  ", break_on_hyphens=False))
    trained = Trained(job, device)
    try:
        with one_thread():
            dtypes = dtypes or chosen(job, lab, device)
            with progress(job.name, seeds * len(dtypes) * job.steps, console) as advance:
                train_all(lab, trained, dtypes, seeds, advance)
    except KeyboardInterrupt:
        if not any(run.steps for run in trained.runs):
            raise LabError(f"stopped before the first step of {job.name}", INTERRUPTED) from None
        save(trained, out)
        raise LabError(f"{stopped(trained)}; the curves so far: {_files(job, out)}", INTERRUPTED) from None
    show_table(results(trained), console)
    last = trained.runs[-1]
    console.print(f"Samples of {last.dtype}, seed {last.seed}:")
    for line in job.tell(last.samples):
        console.print(textwrap.fill(line, 78, initial_indent="  ", subsequent_indent=" " * 8))
    if used := [name for name in trained.emulated if name in dtypes]:
        note = f"This CPU has no instructions for {' and '.join(used)}: their products are computed in float32 and "
        console.print(textwrap.fill(f"{note}rounded. The accuracy is that of the format; the seconds are not.", 78))
    save(trained, out)
    console.print(f"Curves: {_files(job, out)}", soft_wrap=True)
    return trained


def save(trained: Trained, out: Path) -> None:
    """Writes the data first: they are small, and the picture is made of them."""
    data = trained.as_json()
    write_json(_path(out, trained.job.name, "json"), data)
    with themed():
        write_whole(_path(out, trained.job.name, "png"), saved(pictures.curves(data)))


def save_parity(found: list[parity.Difference], emulated: list[str], command: str, out: Path) -> None:
    with one_thread():
        machine: dict[str, Any] = hardware()
    write_whole(_path(out, PARITY, "md"), parity.page(found, machine, emulated, command).encode())
    with themed():
        write_whole(_path(out, PARITY, "png"), saved(pictures.intervals(found)))


def check_outputs(out: Path, names: list[str]) -> None:
    """Raises LabError if a file cannot be written to `out`: before anything is trained for it."""
    make_folder(out, "--out")
    for name in names:
        for kind in ("md" if name == PARITY else "json", "png"):
            check_writable(_path(out, name, kind), "--out")


def _path(out: Path, name: str, kind: str) -> Path:
    return out / f"lab07-{name}.{kind}"


def _files(job: Job, out: Path) -> str:
    return f"{shown(_path(out, job.name, 'png'), Path.cwd())} and .json"


def demo(solution: Path, out: Path) -> None:
    """The demo: the job that needs nothing but this machine, with the reference solution."""
    check_outputs(out, ["words"])
    console = Console(highlight=False, markup=False)
    train_and_show(load_implementation(solution), Words(), ["fp32", "bf16"], 1, "cpu", out, console)
