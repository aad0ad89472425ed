"""`live_bytes` of labkit.observe: bytes of storages at chosen moments."""

import torch
from torch import nn

from labkit.observe import live_bytes


def test_counts_what_lives() -> None:
    with live_bytes() as live:
        first = torch.empty(1000)
        live.note("made")
        second = torch.empty(500)
        live.note("two")
        del second
        view = first[10:]
        live.note("one is gone, and a view has no memory of its own")
        first.untyped_storage().resize_(0)
        live.note("resized")
        first.untyped_storage().resize_(4000)
        del first
        live.note("back, and held by the view alone")
        del view
        live.note("gone")
    assert [size for _, size in live.moments] == [4000, 6000, 4000, 0, 4000, 0]


def test_counts_what_only_a_graph_holds() -> None:
    weight = nn.Parameter(torch.ones(100))
    with live_bytes() as live:
        loss = (weight * torch.full((100,), 2.0)).sum()
        live.note("the factor is saved for backward", collect=True)
        loss.backward()
        live.note("the gradient has come, the factor has gone", collect=True)
    assert [size for _, size in live.moments] == [404, 404]


def test_counts_the_block_alone() -> None:
    kept = torch.zeros(10)
    with live_bytes() as live:
        kept = torch.zeros(20)
        live.note("the earlier one has gone, and does not count")
    assert live.moments == [("the earlier one has gone, and does not count", kept.nbytes)]
