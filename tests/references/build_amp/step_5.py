"""Step 5 of Lab 06: drawn gradients, models and training steps, and what is right of them."""

import math
from collections.abc import Sequence

from torch import Tensor

from labkit.judge.draw import Draw
from references.build_amp.common import INF, NAN


def drawn_names(draw: Draw, count: int) -> list[str]:
    return [f"layers.{number}.weight" for number in draw.shuffled(range(100))[:count]]


def with_entries(draw: Draw, values: Tensor, entries: list[float]) -> Tensor:
    """`values`, with some of its entries, at drawn places, replaced."""
    flat = values.flatten()
    for place, entry in zip(draw.shuffled(range(len(flat))), entries, strict=False):
        flat[place] = entry
    return flat.view(values.shape)


def small(draw: Draw, *shape: int) -> Tensor:
    """Values that float16 makes zero."""
    return draw.away_from_zero(*shape) * 2.0**-30


def drawn_tree(draw: Draw, spoiled: Sequence[str], forms: Sequence[str] = ("tensor",)) -> tuple[dict, str | None]:
    """A tree of groups and leaves; the first leaf to run of those that spoil their output.

    These have outputs of the forms `spoiled`, in the order in which they run, all others of drawn `forms`.
    """
    leaves: list[tuple[str, dict]] = []  # in the order in which they run

    def group(names: list[str], prefix: str, depth: int) -> dict:
        runs = draw.shuffled(names)
        children = {}
        for name in runs:
            if depth and name in names[:2]:
                inner = draw.shuffled("abcdefgh")[: draw.integer(2, 3)]
                children[name] = group(inner, f"{prefix}{name}.", depth - 1)
            else:
                children[name] = {"spoils": [None], "form": draw.choice(forms)}
                leaves.append((f"{prefix}{name}", children[name]))
        gain = 1.0 if depth else 1e39  # an inner group makes inf of what its last leaf gives
        return {"children": children, "registered": draw.shuffled(names), "runs": runs, "gain": gain}

    tree = group(draw.shuffled("stuvwxyz")[:4], "", 1)
    bad = sorted(draw.shuffled(range(len(leaves)))[: len(spoiled)])
    for number, form in zip(bad, spoiled, strict=True):
        leaves[number][1].update(spoils=[draw.choice((INF, -INF, NAN))], form=form)
    return tree, leaves[bad[0]][0] if bad else None


def drawn_repeats(draw: Draw) -> list[tuple[dict, str]]:
    """Models one of whose leaves runs twice, and is finite once; the first leaf to give inf or nan in each."""
    drawn = []
    for late, other_after in draw.shuffled([(True, False), (True, True), (False, False)] * 2):
        names, bad = draw.shuffled("stuvwxyz")[:4], [draw.choice((INF, -INF, NAN))]
        twice, other, *rest = names
        runs = [twice, *rest, twice, other] if other_after else [twice, other, *rest, twice]
        children = {name: {"spoils": [None], "in_place": True} for name in names}
        children[twice]["spoils"] = [None, *bad] if late else [*bad, None]
        children[other]["spoils"] = bad
        tree = {"children": children, "registered": draw.shuffled(names), "runs": runs, "gain": 1.0}
        drawn.append((tree, other if late and not other_after else twice))
    return drawn


def norm_of(gradients: list[Tensor | None]) -> float:
    return math.sqrt(sum(gradient.double().square().sum().item() for gradient in gradients if gradient is not None))


def drawn_steps(draw: Draw, norms: list[float]) -> list[dict]:
    """Steps with these norms; the time of a sample differs widely, and some leave out their peak."""
    steps = []
    for norm in norms:
        step = {"samples": draw.integer(1, 64), "seconds": draw.number(0.01, 1.0), "norm": norm}
        steps.append(step | draw.choice(({}, {"peak_bytes": draw.integer(1000, 9000)})))
    return steps
