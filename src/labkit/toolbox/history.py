"""What a training did, step by step."""

import math
from typing import NamedTuple


class StepRecord(NamedTuple):
    """One step: its unscaled loss, whether it was skipped, the loss scale it used (1.0 without scaling), samples.

    Loss and samples are those of all ranks, without the ranks whose own loss was inf or nan.
    """

    loss: float
    skipped: bool
    scale: float
    samples: int


def mean_loss(records: list[StepRecord]) -> float:
    """The mean loss over samples; steps whose loss is inf or nan are left out, nan if all are."""
    finite = [record for record in records if math.isfinite(record.loss)]
    samples = sum(record.samples for record in finite)
    return sum(record.loss * record.samples for record in finite) / samples if samples else math.nan
