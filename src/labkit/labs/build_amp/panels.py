"""The picture of a bug: two quantities over the steps, of the right code and of the code with the bug."""

from dataclasses import dataclass, field
from typing import NamedTuple

from matplotlib import pyplot
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from labkit.experiments.style import GREEN, VERMILION

RIGHT, WRONG = "as it should be", "with the bug"
Points = list[tuple[float, float]]


@dataclass
class Panel:
    """A quantity, for RIGHT and for WRONG; `marked` are points of the curves, and `mark` says what they are."""

    title: str
    ylabel: str
    log: int | None = None  # the base of a logarithmic axis
    xlabel: str = "step"
    mark: str = ""
    curves: dict[str, Points] = field(default_factory=lambda: {RIGHT: [], WRONG: []})
    marked: dict[str, Points] = field(default_factory=lambda: {RIGHT: [], WRONG: []})

    def last(self, name: str, count: int = 1) -> float:
        """The mean of the last `count` values of a curve."""
        return sum(y for _, y in self.curves[name][-count:]) / count


class Shown(NamedTuple):
    """What a bug did: its picture, and a sentence whose numbers were measured."""

    panels: tuple[Panel, Panel]
    says: str


def means(values: list[float], width: int = 10) -> Points:
    """The mean of every `width` values, at the number of the last."""
    ends = range(width, len(values) + 1, width)
    return [(end, sum(values[end - width : end]) / width) for end in ends]


def draw(panels: tuple[Panel, Panel]) -> Figure:
    figure, grid = pyplot.subplots(1, 2, figsize=(12, 5.5))
    for panel, axes in zip(panels, grid, strict=True):
        steps = "steps-post" if panel.log == 2 else "default"  # a loss scale
        for name, colour, width in ((RIGHT, GREEN, 4.5), (WRONG, VERMILION, 2.0)):
            style = {"color": colour, "linewidth": width, "drawstyle": steps}
            axes.plot(*zip(*panel.curves[name], strict=True), **style, label=name)
            if panel.marked[name]:
                axes.plot(*zip(*panel.marked[name], strict=True), "x", color=colour, markersize=8, markeredgewidth=2.2)
        if panel.mark:
            axes.plot([], [], "x", color=pyplot.rcParams["text.color"], markeredgewidth=2.2, label=panel.mark)
            axes.legend(axes.lines[-1:], [panel.mark])
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
        axes.set(title=panel.title, xlabel=panel.xlabel, ylabel=panel.ylabel)
        if panel.log:
            axes.set_yscale("log", base=panel.log)
        else:
            axes.set_ylim(0, None)
    handles, labels = grid[0].get_legend_handles_labels()
    figure.legend(handles[:2], labels[:2], loc="outside lower center", ncols=2)
    return figure
