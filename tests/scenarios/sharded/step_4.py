"""Scenarios of step 4 of Lab 03, around the sharded model: what the suite makes the code under test do."""

import torch
from torch import nn

from labkit.observe import Submission
from scenarios.sharded.common import own


def clipped(lab: Submission, gradients: list, max_norm: float) -> dict:
    """`clip_grad_norm` of shards whose gradients on this rank are `gradients[rank]`; None: a shard without one."""
    shards = []
    for gradient in own(gradients):
        shards.append(nn.Parameter(torch.zeros(3 if gradient is None else len(gradient))))
        shards[-1].grad = None if gradient is None else gradient.clone()
    norm = lab.clip_grad_norm(iter(shards), max_norm)
    return {"norm": norm, "gradients": [shard.grad for shard in shards]}
