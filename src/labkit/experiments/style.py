"""How all pictures of the experiments look: on paper or in the dark, and readable at half their size."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from matplotlib import pyplot
from matplotlib.figure import Figure

from labkit.toolbox import plots
from labkit.toolbox.plots import BLUE, GREEN, VERMILION

# More of Okabe and Ito's colours than `plots` needs, and a grey that shows on white and on black.
GREY, ORANGE, SKY, PURPLE = "#8c8c8c", "#E69F00", "#56B4E9", "#CC79A7"
FORMATS = {
    "fp32": GREY, "tf32": PURPLE, "bf16": BLUE, "fp16": GREEN, "fp16, no scaling": VERMILION, "fp8": SKY,
}  # fmt: skip

_DARK: dict[Any, Any] = {
    "figure.facecolor": "#16181d", "axes.facecolor": "#16181d", "savefig.facecolor": "#16181d",
    "text.color": "#e6e6e6", "axes.labelcolor": "#e6e6e6", "axes.edgecolor": "#9a9a9a",
    "xtick.color": "#c8c8c8", "ytick.color": "#c8c8c8", "grid.color": "#6a6a6a",
}  # fmt: skip
_BOTH: dict[Any, Any] = {
    "font.size": 14, "axes.titlesize": 15, "legend.fontsize": 12.5, "legend.frameon": False, "axes.grid": True,
    "grid.alpha": 0.3, "axes.spines.top": False, "axes.spines.right": False, "axes.axisbelow": True,
    "figure.constrained_layout.use": True, "lines.linewidth": 2.2, "svg.hashsalt": "labkit",
}  # fmt: skip


@contextmanager
def themed(dark: bool = False) -> Iterator[None]:
    """Pictures drawn inside look alike; text, axes and grid take the theme's colours unless they are given others."""
    with pyplot.rc_context(_BOTH | (_DARK if dark else {})):
        yield


def saved(figure: Figure, kind: str = "png") -> bytes:
    """The picture as a file's bytes ("png" or "svg"); the figure is closed."""
    return plots.saved(figure, kind, dpi=110, metadata={"Date": None} if kind == "svg" else None)
