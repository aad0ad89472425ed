"""Lab 04's parts of the report: the milestone, and what the formats cost."""

from pathlib import Path
from typing import Any

TRAINER = (1, 2, 3)  # the steps that a training needs
NEEDED = {  # part -> steps that have to pass before it can be measured with the student's file
    "banner": TRAINER,
    "comparison": TRAINER,
    "accumulate": (),
    "audit": TRAINER,
    "bytes-per-rank": (*TRAINER, 5),
    "formats": TRAINER,
    "loss-scale": TRAINER,
    "master-weights": TRAINER,
    "memory": TRAINER,
    "sensitive": (4,),
    "speed": TRAINER,
    "underflow": (1,),
}


def banner(file: Path) -> dict[str, Any]:
    """The milestone of a training on digits in float16: its title, and its lines as pairs."""
    from labkit.course.loading import load_implementation
    from labkit.labs.mixed_precision.banner import RULE
    from labkit.labs.mixed_precision.training import Settings, Training

    training = Training(load_implementation(file), Settings())
    while not training.finished:
        training.step()
    title, *lines = [line for line in training.banner().splitlines() if line != RULE]
    return {"title": title, "lines": [line.split(": ", 1) for line in lines]}


def comparison(file: Path) -> dict[str, Any]:
    """What `--compare` prints: a table for each workload."""
    from labkit.course.loading import load_implementation
    from labkit.labs.mixed_precision.compare import WORKLOADS, compare, one_thread

    lab, tables = load_implementation(file), []
    for workload in WORKLOADS:
        with one_thread():
            measured = compare(lab, workload)
        columns = measured.table().columns
        rows = list(zip(*(column.cells for column in columns), strict=True))
        tables.append({"title": measured.title(), "rows": [[column.header for column in columns], *rows]})
    return {"tables": tables}


MEASURED = {"banner": banner, "comparison": comparison}  # what is no experiment
