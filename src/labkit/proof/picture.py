"""The picture of a proof: which test catches which mistake."""

from pathlib import Path

from labkit.course.files import make_folder, write_whole
from labkit.course.manifest import Lab
from labkit.proof.prove import Proof


def draw_matrix(lab: Lab, proof: Proof, path: Path) -> None:
    """Draws the mistakes (rows, sorted by the first test that catches them) against the tests (columns)."""
    from matplotlib import pyplot as plt

    from labkit.toolbox.plots import saved

    groups = [[one.id for one in lab.behaviours if one.step == step.number] for step in lab.steps]
    tests = [test for group in groups for test in group]
    rows = [one for one in proof.misconceptions if one.fails]
    caught = sorted(([test in one.fails for test in tests] for one in rows), reverse=True)
    figure, axes = plt.subplots(figsize=(9, 10), layout="constrained")
    axes.imshow(
        caught or [[False] * len(tests)], aspect="auto", cmap="Blues", vmin=0, vmax=1.15, interpolation="nearest"
    )
    edge = -0.5
    for step, group in zip(lab.steps, groups, strict=True):
        axes.text(edge + len(group) / 2, -0.01 * len(rows), f"step {step.number}", ha="center", va="bottom")
        edge += len(group)
        axes.axvline(edge, color="0.6", linewidth=0.8)
    axes.set_xticks(range(len(tests)), [test.removeprefix("test_").replace("_", " ") for test in tests])
    axes.tick_params(axis="x", labelsize=6.5, rotation=90)
    axes.set_ylabel(f"{len(rows)} wrong answers, sorted by the first test that catches them")
    axes.set_yticks([])
    figure.suptitle(f"Lab {lab.number:02d}: which test catches which wrong answer (blue: the test fails it)")
    make_folder(path.parent, "proof:")
    write_whole(path, saved(figure, "png", dpi=120))
