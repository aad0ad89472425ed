"""Whether half precision matches float32: differences of accuracy between trainings from the same seed."""

import math
import statistics
from dataclasses import dataclass
from typing import Any

from labkit.labs.capstones.training import Trained

MARGIN = 0.01  # of accuracy: half precision matches if the whole interval is nearer to zero than this
# The 97.5 % quantile of Student's t with so many degrees of freedom.
QUANTILES = {1: 12.706, 2: 4.303, 3: 3.182, 4: 2.776, 5: 2.571, 6: 2.447, 7: 2.365, 8: 2.306, 9: 2.262}
MOST_SEEDS = max(QUANTILES) + 1
MATCHES, DIFFERS, OPEN = "matches", "differs", "undecided"


@dataclass(frozen=True)
class Difference:
    """Of one job: the accuracies in float32 and in a half format, seed by seed, and the interval of their difference.

    `low` and `high` are the 95 % confidence interval of the mean difference, half minus float32, by Student's t on the
    differences of pairs: two trainings of a seed have the same weights, data and batches.
    """

    job: str
    dtype: str
    float32: list[float]
    half: list[float]

    @property
    def mean(self) -> float:
        return statistics.mean(self._differences)

    @property
    def low(self) -> float:
        return self.mean - self._half_width

    @property
    def high(self) -> float:
        return self.mean + self._half_width

    @property
    def verdict(self) -> str:
        """Whether the interval is inside of the margin, off zero, or neither: then the seeds do not decide it."""
        if max(abs(self.low), abs(self.high)) <= MARGIN:
            return MATCHES
        return DIFFERS if self.low > 0 or self.high < 0 else OPEN

    @property
    def _differences(self) -> list[float]:
        return [half - single for half, single in zip(self.half, self.float32, strict=True)]

    @property
    def _half_width(self) -> float:
        count = len(self._differences)
        return QUANTILES[count - 1] * statistics.stdev(self._differences) / math.sqrt(count)


def differences(trained: Trained) -> list[Difference]:
    """Of each half format with at least two pairs of whole trainings."""
    single = {run.seed: run.score for run in trained.finished("fp32")}
    found = []
    for dtype in trained.dtypes:
        pairs = [(single[run.seed], run.score) for run in trained.finished(dtype) if run.seed in single]
        if dtype != "fp32" and len(pairs) > 1:
            found.append(Difference(trained.job.name, dtype, *(list(side) for side in zip(*pairs, strict=True))))
    return found


def rows(found: list[Difference]) -> list[list[str]]:
    """The table of parity, headings first."""
    table = [["job", "format", "seeds", "fp32", "half", "points", "95 %", "verdict"]]
    for one in found:
        means = (f"{100 * statistics.mean(side):.1f}%" for side in (one.float32, one.half))
        interval = f"{100 * one.low:+.1f}..{100 * one.high:+.1f}"
        table.append([one.job, one.dtype, str(len(one.half)), *means, f"{100 * one.mean:+.2f}", interval, one.verdict])
    return table


def says(found: list[Difference]) -> str:
    """What the verdicts mean."""
    return (
        "The points are the mean difference of accuracy, half precision minus fp32 from the same seed, with the 95 % "
        f"confidence interval of it. Half precision {MATCHES} where the whole interval is within {100 * MARGIN:g} "
        f"point of zero. Else it {DIFFERS} where zero is outside of the interval, and is {OPEN} where it is inside: "
        "more seeds would tell."
    )


def page(found: list[Difference], machine: dict[str, Any], emulated: list[str], command: str) -> str:
    """The table as a page in Markdown, with machine, versions and the command that made it."""
    head, *body = rows(found)
    lines = [head, ["---"] * 2 + ["--:"] * 5 + ["---"], *body]
    table = "\n".join(f"| {' | '.join(line)} |" for line in lines)
    made = f"Made by `{command}` on {machine['gpu'] or machine['cpu']}, PyTorch {machine['torch']}, "
    made += f"Python {machine['python']}."
    if emulated:
        made += f" This CPU computes no products in {' and '.join(emulated)}: they are computed in float32 and rounded."
    return f"# Parity\n\n{table}\n\n{says(found)}\n\n{made}\n"
