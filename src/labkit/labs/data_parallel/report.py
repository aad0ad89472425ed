"""Lab 02's parts of the report: the training job with its timeline, and the figures."""

from labkit.report.parts import Kind, Part

PARTS = (
    Part("beside-ddp", Kind.FIGURE, (1, 2, 3, 4, 5)),
    Part("bf16-sum", Kind.FIGURE, ()),
)
