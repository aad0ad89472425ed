"""A bar that shows how far a training is."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn


@contextmanager
def progress(label: str, steps: int, console: Console) -> Iterator[Callable[[], None]]:
    """A bar while it lasts, on a terminal only; each call of what it gives is one of the `steps`."""
    columns = TextColumn("  {task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn()
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as bar:
        task = bar.add_task(label, total=steps)
        yield lambda: bar.advance(task)
