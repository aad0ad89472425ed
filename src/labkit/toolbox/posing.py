"""What a rank of many does, found on one process that poses as it: nothing is sent, and values are wrong.

Calls, bytes and what stays in memory are right, because the code is the same. Seconds are not.
"""

from collections.abc import Iterator
from contextlib import contextmanager

import torch
import torch.distributed as dist

from labkit.course.errors import LabError

SIZES = (8, 64, 1024)  # ranks of the labs' tables


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
