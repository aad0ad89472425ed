"""`live_bytes` of labkit.observe: bytes of storages at chosen moments."""

import torch
from torch import nn

from labkit.observe import live_bytes


def test_counts_what_lives_and_the_most_between() -> None:
    with live_bytes() as (note, moments):
        first = torch.empty(1000)
        note("made")
        second = torch.empty(500)
        del second
        note("gone again")
        first.untyped_storage().resize_(0)
        note("resized")
        first.untyped_storage().resize_(4000)
        note("back")
    assert moments == [
        {"name": "made", "bytes": 4000, "most": 4000},
        {"name": "gone again", "bytes": 4000, "most": 6000},
        {"name": "resized", "bytes": 0, "most": 4000},
        {"name": "back", "bytes": 4000, "most": 4000},
    ]


def test_counts_what_only_a_graph_holds() -> None:
    weight = nn.Parameter(torch.ones(100))
    with live_bytes() as (note, moments):
        loss = (weight * torch.full((100,), 2.0)).sum()
        note("the factor is saved for backward", collect=True)
        loss.backward()
        note("the gradient has come, the factor has gone", collect=True)
    assert [moment["bytes"] for moment in moments] == [404, 404]


def test_blocks_do_not_mix() -> None:
    for size in (10, 20):
        with live_bytes() as (note, moments):
            kept = torch.zeros(size)
            note("made")
        assert [moment["bytes"] for moment in moments] == [kept.nbytes]
        del kept
