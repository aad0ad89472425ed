"""Lab 06's parts of the report: the training job, and the figures."""

from labkit.report.parts import Kind, Part

PARTS = (
    Part("beside-torch", Kind.FIGURE, (1, 3)),
    Part("hysteresis", Kind.FIGURE, (1,)),
    Part("cast-cache", Kind.FIGURE, (3,)),
    Part("windows", Kind.FIGURE, (1, 4)),
    Part("running-statistics", Kind.FIGURE, (4,)),
    Part("lost-layers", Kind.FIGURE, (5,)),
)
