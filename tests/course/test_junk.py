"""Junk reaches every leaf of what the solution replied, and what crosses is never what the solution itself replied."""

import torch

from labkit.observe import values
from labkit.observe.values import Raised
from labkit.proof import junk

REPLY = values.encode([{"a": [1.0, None], "b": torch.ones(2)}, 3])


def test_leaves_are_everything_that_holds_nothing_else() -> None:
    paths = list(junk._leaves(REPLY))
    assert [junk._shown(path) for path in paths] == ["reply 1['a'][0]", "reply 1['a'][1]", "reply 1['b']", "reply 2"]
    assert junk._at(REPLY, paths[0]) == 1.0


def test_one_leaf_is_replaced_in_a_copy() -> None:
    before = values.decode(REPLY)
    for path in junk._leaves(REPLY):
        changed = junk._replaced(REPLY, path, "junk")
        assert junk._at(changed, path) == "junk"
        others = [other for other in junk._leaves(REPLY) if other != path]
        assert all(junk._same(junk._at(changed, other), junk._at(REPLY, other)) for other in others)
    assert str(values.decode(REPLY)) == str(before)


def test_of_many_leaves_some_are_replaced() -> None:
    paths = [(number,) for number in range(100)]
    spread = junk._spread(paths)
    assert (len(spread), spread[0], spread[-1]) == (junk.LEAVES, (0,), (99,))
    assert junk._spread(paths[:3]) == paths[:3]


def test_two_dozen_kinds_of_junk_cross() -> None:
    assert len(junk.encoded(junk.WHOLE)) >= 24
    assert set(junk.IN_A_LEAF) <= junk.WHOLE.keys()
    assert junk._same(*[junk.encoded({"nan": float("nan")})] * 2)
    one, *others = junk.encoded({text: Raised(*text.split(":")) for text in ("A:x", "A:y", "B:x")}).values()
    assert [junk._same(one, other) for other in others] == [True, False]
