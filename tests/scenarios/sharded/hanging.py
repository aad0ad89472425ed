"""A training loop that hangs for real: one rank leaves a call out, and waits in the next one while the others wait in
the first. This file's frames are what the stacks show; who writes the stacks, and ends the hang, is `step_6`."""

from collections.abc import Callable
from typing import Any

import torch
import torch.distributed as dist

from scenarios.sharded.common import all_gather, reduce_scatter

# Each function ends in its call: the line in which a rank waits is the last one.


def gather_weights(group: Any) -> None:
    """Of a shard of four numbers."""
    part = torch.ones(4)
    all_gather(part.new_empty(4 * dist.get_world_size()), part, group=group)


def reduce_gradients(group: Any) -> None:
    """To a shard of four numbers."""
    reduce_scatter(torch.empty(4), torch.ones(4 * dist.get_world_size()), group=group)


def log_loss(group: Any) -> None:
    """The sum over the ranks."""
    dist.all_reduce(torch.ones(()), group=group)


def save_checkpoint(group: Any) -> None:
    """Nothing is saved: the ranks only wait for each other."""
    dist.barrier(group=group)


CALLS = (gather_weights, reduce_gradients, log_loss, save_checkpoint)


def train(steps: int, groups: list[Any], left_out: tuple[int, int] | None, arrives: Callable[[int, int], None]) -> None:
    """Makes all of `CALLS` in each step, but the one that is `left_out`, a step and an index.

    Calls take turns on two groups, so that a rank that is one call ahead waits and does not take part in another call.
    `arrives(step, index)` is called before each call.
    """
    for step in range(steps):
        for index, call in enumerate(CALLS):
            if (step, index) != left_out:
                arrives(step, index)
                call(groups[index % 2])
