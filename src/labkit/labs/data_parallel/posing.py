"""What a rank of many does in a step, found on one process that poses as it: nothing is sent, and values are wrong.

Calls, bytes and what stays in memory are right, because the code is the same. Seconds are not, and are left out.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from types import ModuleType

import torch
import torch.distributed as dist

from labkit.course.errors import LabError
from labkit.labs.data_parallel.recorder import Step
from labkit.labs.data_parallel.training import WIDTHS, optimizer_of, recorded_steps, wrapped

SIZES = (8, 64, 1024)
SAMPLES = 8  # of the posing rank; bytes and calls do not depend on it


@contextmanager
def posing_as_one_of(ranks: int) -> Iterator[None]:
    """This process is rank 0 of `ranks` while it lasts; a call gives back what this rank has put in.

    Raises LabError if this PyTorch lacks the group for it, which is one of PyTorch's internals.
    """
    try:
        from torch.testing._internal.distributed.fake_pg import FakeStore

        dist.init_process_group("fake", store=FakeStore(), rank=0, world_size=ranks)
    except (ImportError, ValueError, RuntimeError) as error:
        reason = str(error).splitlines()[0]
        raise LabError(
            f"no table for many ranks: PyTorch {torch.__version__} has no group to pose in "
            f"(torch.testing._internal.distributed.fake_pg): {reason}"
        ) from None
    try:
        yield
    finally:
        dist.destroy_process_group()


def step_of_one_rank(lab: ModuleType, way: str, ranks: int) -> Step:
    """The step that a rank of so many makes in this way of `training.WAYS`; its times mean nothing."""
    batch = torch.rand(SAMPLES, WIDTHS[0]), torch.randint(WIDTHS[-1], (SAMPLES,))
    with posing_as_one_of(ranks):
        model = wrapped(lab, way, seed=0)
        (step,) = recorded_steps(model, batch, optimizer_of(model), count=1)
        return step


def ring_bytes(sent: float, ranks: int) -> float:
    """What a rank puts on the network if `sent` bytes are averaged in a ring: every part of it goes round nearly twice.

    Source: https://arxiv.org/abs/1802.05799, section 3
    """
    return 2 * (ranks - 1) / ranks * sent
