"""Lab 03's parts of the report: the training job with its timeline, and what a rank holds over a step."""

from labkit.report.parts import Kind, Part

ALL = (1, 2, 3, 4, 5)

PARTS = (Part("beside-fsdp2", Kind.FIGURE, ALL), Part("sharded-step", Kind.FIGURE, ALL))
