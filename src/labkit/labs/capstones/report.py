"""Lab 07's parts of the report: the figures that need no download."""

from labkit.report.parts import Kind, Part

PARTS = (
    Part("in-range", Kind.FIGURE, (1, 2)),
    Part("causal-mask", Kind.FIGURE, (1, 2, 3)),
    Part("seeds", Kind.FIGURE, (4,)),
    Part("step-time", Kind.FIGURE, (1, 2, 4, 5)),
)
