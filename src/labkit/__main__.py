"""`python -m labkit COMMAND`: what the Makefile's targets call."""

import itertools
import os
import signal
import sys
from pathlib import Path

import click

from labkit import experiments, manifest
from labkit.errors import LabError
from labkit.manifest import ROOT


@click.group(help="The machinery of the course; `make` lists the commands that people type.")
def cli() -> None:
    pass


@cli.command()
@click.option("--out", type=click.Path(path_type=Path), default=ROOT / "runs", help="Folder of the picture.")
def demo(out: Path) -> None:
    """Train the reference solution in every format and draw what happens."""
    from labkit.demo import run_demo

    run_demo(ROOT / "solutions" / "mixed_precision.py", out)


@cli.command()
def skeletons() -> None:
    """Make the skeletons from the solutions, and the table of steps in each handout from its manifest."""
    from labkit.handout import write_handout
    from labkit.skeleton import write_skeletons

    for lab in manifest.load_all():
        for line in [*write_skeletons(lab), *write_handout(lab)]:
            click.echo(line)


@cli.command()
@click.argument("lab")
@click.option("--seeds", default=1, type=click.IntRange(1), help="How many seeds to prove it under, from 0 on.")
@click.option("--every-test", is_flag=True, help="Put every test to every answer, those of other steps too: slower.")
@click.option("--check", is_flag=True, help="Quicker: write nothing, fail if what it wrote is not true any more.")
def proof(lab: str, seeds: int, every_test: bool, check: bool) -> None:
    """Grade every known mistake and alternative of LAB and show which test catches what."""
    os.environ["OMP_NUM_THREADS"] = "1"  # before torch is imported: the forked children compute, one on each core
    from labkit import proof, proof_report

    found = manifest.find(lab)
    done = itertools.count(1)
    tests = "known" if check else "every" if every_test else "own"
    results = proof.prove(
        found, list(range(seeds)), tests, lambda graded: _progress(f"{next(done)} {graded.answer.name}")
    )
    _progress("")
    click.echo(proof_report.matrix(found, proof.first_seed(results)))
    problems = proof.problems(found, results)
    if check:
        problems += proof_report.stale_pages(found, results)
    else:
        picture = ROOT / "runs" / f"proof-{found.name}.png"
        proof_report.draw_matrix(found, results, picture)
        for path in (picture, *proof_report.write_pages(found, results)):
            click.echo(f"written: {path.relative_to(ROOT)}")
    click.echo(proof_report.conclusion(found, results, problems))
    sys.exit(1 if problems else 0)


@cli.command()
@click.argument("lab", required=False)
def status(lab: str | None) -> None:
    """Where you are in every lab (or in LAB), and the one next thing to do."""
    from labkit.student import screen, status

    for number, found in enumerate([manifest.find(lab)] if lab else manifest.load_all()):
        stand = status.standing(found, say=_progress)
        _progress("")
        screen.show(([""] if number else []) + status.lines(stand))


@cli.command()
@click.argument("lab")
@click.option("--step", type=int, help="Begin with this step instead of the first that is not passed.")
@click.option("--limit", type=click.FloatRange(0.1), default=10.0, show_default=True, help="Seconds for one test.")
def watch(lab: str, step: int | None, limit: float) -> None:
    """Test your file of LAB on every save."""
    from labkit.student.watch import watch

    watch(manifest.find(lab), step, limit)


@cli.command()
@click.argument("lab")
@click.option("--step", type=int, help="The step; by default the one that you are at.")
def hint(lab: str, step: int | None) -> None:
    """One rung more of a step's hints each time; never the solution."""
    from labkit.student import hints, screen, status

    found = manifest.find(lab)
    screen.show(hints.next_hint(found, status.current_step(found) if step is None else step))


@cli.command()
@click.argument("lab")
def reset(lab: str) -> None:
    """The skeleton again; your file is kept in backups/."""
    from labkit.student.reset import reset

    for line in reset(manifest.find(lab)):
        click.echo(line)


@cli.command()
@click.argument("lab")
@click.option("--test", help="Its name, or a part of it; by default the one to work on now.")
def explain(lab: str, test: str | None) -> None:
    """What a test asks for, why that matters in practice, and where to read about it."""
    from labkit.student import explain, screen

    screen.show(explain.explain(manifest.find(lab), test))


@cli.command()
def doctor() -> None:
    """What this machine brings to the course, and what to do about what is missing."""
    from labkit.student import doctor, screen

    findings = doctor.examine()
    screen.show(doctor.lines(findings))
    screen.show(["", *doctor.formats(findings)])
    sys.exit(1 if any(finding.needed and finding.remedy for finding in findings) else 0)


@cli.command(context_settings={"ignore_unknown_options": True})
@click.argument("strategy", type=click.Choice(["ddp", "fsdp"]))
@click.option("--nproc", default=2, type=click.IntRange(1), help="How many processes.  [2]")
@click.option("--impl", default="src", help="Folder of the lab file: src, solutions or another.  [src]")
@click.option("--port", type=click.IntRange(1, 65535), help="Where the processes meet.  [a free one]")
@click.argument("options", nargs=-1, type=click.UNPROCESSED)
def launch(strategy: str, nproc: int, impl: str, port: int | None, options: tuple[str, ...]) -> None:
    """Train Lab 04 on many processes of this machine; OPTIONS go to the lab file."""
    from labkit.launch import launch
    from labkit.loading import implementation_path

    file = implementation_path(impl, "mixed_precision", ROOT)
    try:
        launch(file, strategy, nproc, list(options), port)
    except LabError as error:  # the lab file's own line, alone; nothing after Ctrl-C
        if str(error):
            click.echo(str(error), err=True)
        sys.exit(error.exit_code)


@cli.command()
@click.option("--device", type=click.Choice(["cpu", "cuda"]), default="cpu", help="cuda: sizes that fill a GPU.  [cpu]")
def bench(device: str) -> None:
    """Measure the limits of speed and memory that the course sets itself."""
    if device == "cuda":
        from rich.console import Console

        from labkit.gpu_bench import run_gpu_bench

        run_gpu_bench(Console(highlight=False))
    else:
        from labkit.bench import run_bench

        run_bench(click.echo)


@cli.command(help=f"Measure one thing about the formats, and draw it: {', '.join(experiments.NAMES)}.")
@click.argument("name", type=click.Choice(experiments.NAMES))
@click.option("--impl", default="solutions", help="Folder of the lab file: src, solutions or another.  [solutions]")
@click.option(
    "--out", type=click.Path(path_type=Path), default=ROOT / "runs" / "experiments", help="Folder to write to."
)
def experiment(name: str, impl: str, out: Path) -> None:
    from rich.console import Console

    from labkit.experiments.running import run
    from labkit.loading import implementation_path

    run(name, implementation_path(impl, "mixed_precision", ROOT), out, Console(highlight=False))


@cli.command()
@click.argument("lab")
@click.option("--impl", default="src", help="Folder of the lab file: src, solutions or another.  [src]")
@click.option("--out", type=click.Path(path_type=Path), default=ROOT / "reports", help="Folder of the page.  [reports]")
@click.option("--only", default="", metavar="NAME,...", help="Measure only these: banner, comparison, experiments.")
def report(lab: str, impl: str, out: Path, only: str) -> None:
    """One page of an implementation of LAB: its steps, and what it measures on this machine."""
    from labkit.files import shown
    from labkit.report import write_report

    names = [name for name in only.split(",") if name]
    click.echo(f"written: {shown(write_report(manifest.find(lab), impl, out, names, click.echo), ROOT)}")


@cli.command()
@click.option("--out", type=click.Path(path_type=Path), default=ROOT / "docs" / "figures", help="Folder to write to.")
@click.option("--only-pages", is_flag=True, help="Measure nothing: put into the pages what docs/figures says.")
def figures(out: Path, only_pages: bool) -> None:
    """Make every figure of the pages anew, by the experiments on the reference solution, some minutes."""
    import subprocess

    from labkit.experiments import pages

    commands = [] if only_pages else [["experiment", name] for name in experiments.NAMES] + [["bytes"]]
    for command in commands:  # each in a process of its own: what one left in memory must not show in the next
        ran = subprocess.run([sys.executable, "-m", "labkit", *command, "--out", str(out)])
        if ran.returncode:
            sys.exit(ran.returncode)
    if only_pages or out.resolve() == pages.FIGURES:
        for line in pages.write_pages():
            click.echo(line)


@cli.command("bytes")
@click.option("--impl", default="solutions", help="Folder of the lab file: src, solutions or another.  [solutions]")
@click.option("--out", type=click.Path(path_type=Path), default=ROOT / "docs" / "figures", help="Folder to write to.")
def bytes_(impl: str, out: Path) -> None:
    """Measure which rank holds which bytes in one process, DDP and FSDP2, and draw it."""
    from labkit.footprint import write_figure
    from labkit.loading import implementation_path

    for path in write_figure(implementation_path(impl, "mixed_precision", ROOT), out):
        click.echo(f"written: {path}")


def _progress(text: str) -> None:
    """One line on a terminal that is written over; nothing elsewhere."""
    if sys.stderr.isatty() and os.environ.get("TERM", "dumb") != "dumb":
        sys.stderr.write(f"\r\033[K{text}")
        sys.stderr.flush()


def main() -> None:
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:  # closed by whoever started this
            setattr(sys, name, open(os.devnull, mode))  # noqa: SIM115  (as long as the process)
    for stream in (sys.stdout, sys.stderr):
        stream.reconfigure(errors="backslashreplace")  # a terminal that knows only ASCII, or an old code page
    for number in {signal.SIGTERM, getattr(signal, "SIGHUP", signal.SIGTERM)}:  # Windows has no terminal that hangs up
        if signal.getsignal(number) == signal.SIG_DFL:  # nohup ignores the latter
            signal.signal(number, lambda number, _: sys.exit(128 + number))  # so that what was started is ended too
    try:
        sys.exit(cli(standalone_mode=False))
    except click.exceptions.NoArgsIsHelpError as error:
        error.show()
        sys.exit(error.exit_code)
    except click.Abort:  # Ctrl-C
        sys.exit(130)
    except (LabError, click.ClickException) as error:
        said = " ".join(error.format_message().split()) if isinstance(error, click.ClickException) else str(error)
        click.echo(f"labkit: {said}", err=True)
        sys.exit(error.exit_code)


if __name__ == "__main__":
    main()
