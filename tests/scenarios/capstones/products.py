"""What autocast makes of a product, for the scenarios of several steps of Lab 07."""

from contextlib import AbstractContextManager, nullcontext

import torch


def region(device: torch.device, dtype: torch.dtype) -> AbstractContextManager:
    """A region of autocast in `dtype`; none for float32: a disabled one too keeps the casts of those inside of it."""
    return nullcontext() if dtype == torch.float32 else torch.autocast(device.type, dtype=dtype)


def product_dtype(device: torch.device) -> torch.dtype:
    """The dtype of a product of float32 matrices: that of the autocast region, if there is one."""
    ones = torch.ones(2, 2, device=device)
    return (ones @ ones).dtype
