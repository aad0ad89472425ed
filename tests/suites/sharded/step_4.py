"""Step 4, around the sharded model: one behaviour a test, judged by the values that a scenario brought back."""

import torch

from labkit.judge.expect import expect
from scenarios.sharded import step_4 as scenarios
from suites.sharded.common import FLOAT32


def test_norm_is_that_of_all_shards_of_all_ranks(observe, draw):
    """Every rank gets the 2-norm of all gradients together, as a float."""
    for _ in range(3):
        gradients = [[draw.normal(draw.integer(1, 6)) for _ in range(3)] for _ in range(2)]
        norm = torch.cat([gradient.double() for rank in gradients for gradient in rank]).norm().item()
        seen = observe(scenarios.clipped, ranks=2, gradients=gradients, max_norm=draw.number(0.5, 2.0) * norm)
        for rank, one in enumerate(seen):
            expect(one["norm"], f"norm on rank {rank}").close_to(
                norm, FLOAT32, "add up the squares of all entries on all ranks, then take one root"
            )
