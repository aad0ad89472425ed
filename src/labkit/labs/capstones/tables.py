"""What a job's trainings came to, as rows and a line."""

import statistics

from rich import box
from rich.console import Console
from rich.table import Table

from labkit.labs.capstones.training import Run, Trained


def results(trained: Trained) -> list[list[str]]:
    """A row for each format, headings first; means over the seeds, with their spread."""
    rows = [["format", "accuracy", "spread", "loss", "seconds", "peak MB", "skipped"]]
    for dtype in trained.dtypes:
        runs = trained.finished(dtype)
        scores = [run.score for run in runs]
        spread = f"{100 * statistics.stdev(scores):.1f} ({len(scores)})" if len(scores) > 1 else "1 seed"
        name = f"{dtype}, emulated" if dtype in trained.emulated else dtype
        seconds = statistics.mean(run.seconds for run in runs)
        rows.append(
            [
                name,
                f"{100 * statistics.mean(scores):.1f}%",
                spread,
                f"{statistics.mean(_last_loss(run) for run in runs):.3f}",
                f"{seconds:.1f}",
                f"{trained.peaks[dtype] / 1e6:.1f}",
                str(sum(run.skipped for run in runs)),
            ]
        )
    return rows


def _last_loss(run: Run, steps: int = 20) -> float:
    """The mean over the last steps: one batch's loss is noise."""
    return statistics.mean(loss for step, loss in run.losses if step > run.steps - steps)


def show_table(rows: list[list[str]], console: Console) -> None:
    """Prints the rows, headings first, as a table."""
    headings, *body = rows
    table = Table(box=box.MARKDOWN)
    for number, heading in enumerate(headings):
        table.add_column(heading, justify="right" if number else "left", overflow="fold")
    for row in body:
        table.add_row(*row)
    console.print(table)


def stopped(trained: Trained) -> str:
    """Where Ctrl-C came."""
    run = trained.runs[-1]
    whole = sum(run.finished for run in trained.runs)
    return (
        f"stopped in {run.dtype}, seed {run.seed}, after step {run.steps} of {trained.job.steps}, "
        f"with {whole} of the trainings whole"
    )
