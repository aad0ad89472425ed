"""Lab 04's parts of the report: the milestone, what the formats cost, and the figures."""

from pathlib import Path
from typing import Any

from labkit.report.parts import Kind, Part

TRAINER = (1, 2, 3)  # the steps that a training needs


def banner(file: Path) -> dict[str, Any]:
    """The milestone of a training on digits in float16: its title, and its lines as pairs."""
    from labkit.course.errors import LabError
    from labkit.course.loading import load_implementation
    from labkit.labs.mixed_precision.banner import RULE
    from labkit.labs.mixed_precision.training import Settings, Training

    training = Training(load_implementation(file), Settings())
    while not training.finished:
        training.step()
    if training.failure():
        raise LabError(training.failure())
    title, *lines = [line for line in training.banner().splitlines() if line != RULE]
    return {"title": title, "lines": [line.split(": ", 1) for line in lines]}


def comparison(file: Path) -> dict[str, Any]:
    """What `--compare` measures on this machine: a table for each workload."""
    from labkit.course.loading import load_implementation
    from labkit.labs.mixed_precision.compare import WORKLOADS, compare
    from labkit.toolbox.measure import one_thread

    lab, tables = load_implementation(file), []
    for workload in WORKLOADS:
        with one_thread():
            measured = compare(lab, workload)
        columns = measured.table().columns
        rows = list(zip(*(column.cells for column in columns), strict=True))
        tables.append({"title": measured.title(), "rows": [[column.header for column in columns], *rows]})
    return {"tables": tables}


PARTS = (
    Part("banner", Kind.CARD, TRAINER, "Milestone", "Digits learnt in float16.", banner),
    Part(
        "comparison",
        Kind.TABLES,
        TRAINER,
        "Comparison",
        "On the CPU, one thread. Memory: peak of a step, and its activations saved for backward, percent of fp32. "
        "Speed: fp32's time over this format's.",
        comparison,
    ),
    Part("accumulate", Kind.FIGURE, ()),
    Part("audit", Kind.FIGURE, TRAINER),
    Part("bits", Kind.FIGURE, ()),
    Part("bytes-per-rank", Kind.FIGURE, (*TRAINER, 5)),
    Part("formats", Kind.FIGURE, TRAINER),
    Part("ladder", Kind.FIGURE, ()),
    Part("loss-scale", Kind.FIGURE, TRAINER),
    Part("master-weights", Kind.FIGURE, TRAINER),
    Part("memory", Kind.FIGURE, TRAINER),
    Part("memory-at-scale", Kind.FIGURE, ()),
    Part("roofline", Kind.FIGURE, ()),
    Part("scaling", Kind.FIGURE, ()),
    Part("sensitive", Kind.FIGURE, (4,)),
    Part("small-updates", Kind.FIGURE, TRAINER),
    Part("speed", Kind.FIGURE, TRAINER),
    Part("underflow", Kind.FIGURE, (1,)),
)
