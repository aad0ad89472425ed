"""What autocast makes of a product, for the scenarios of several steps of Lab 07."""

import torch


def product_dtype(device: torch.device) -> torch.dtype:
    """The dtype of a product of float32 matrices: that of the autocast region, if there is one."""
    ones = torch.ones(2, 2, device=device)
    return (ones @ ones).dtype
