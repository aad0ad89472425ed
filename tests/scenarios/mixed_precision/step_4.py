"""Step 4, operations that stay in float32: what the graded suite makes the code under test do."""

import torch
from torch import Tensor

from labkit.observe import Submission


def in_region(device: str, region: torch.dtype | None) -> torch.autocast:
    """An autocast region in dtype `region`; None switches autocast off."""
    return torch.autocast(device, dtype=region or torch.float16, enabled=region is not None)


def layer_norm(lab: Submission, x: Tensor, shape: object, arguments: dict, region: torch.dtype | None = None) -> Tensor:
    """`fp32_layer_norm` of `x`, inside an autocast region of dtype `region` where one is given."""
    shape = tuple(shape) if isinstance(shape, list) else shape
    with in_region(x.device.type, region):
        return lab.fp32_layer_norm(x, shape, **arguments)


def softmax(lab: Submission, x: Tensor, arguments: dict, region: torch.dtype | None = None) -> Tensor:
    """`fp32_softmax` of `x`, inside an autocast region of dtype `region` where one is given."""
    with in_region(x.device.type, region):
        return lab.fp32_softmax(x, **arguments)


def cross_entropy(
    lab: Submission, logits: Tensor, target: Tensor, arguments: dict, region: torch.dtype | None = None
) -> Tensor:
    """`fp32_cross_entropy` of `logits`, inside an autocast region of dtype `region` where one is given."""
    with in_region(logits.device.type, region):
        return lab.fp32_cross_entropy(logits, target, **arguments)


def sensitive_gradients(lab: Submission, x: Tensor, cotangent: Tensor, target: Tensor, weight: Tensor) -> dict:
    """The gradients with respect to x of all three operations, and of layer norm's weight and bias."""
    gradients = {}
    for name in ("layer_norm", "softmax", "cross_entropy"):
        leaf, gain = x.clone().requires_grad_(), weight.clone().requires_grad_()
        if name == "layer_norm":
            bias = torch.zeros_like(weight).requires_grad_()
            (lab.fp32_layer_norm(leaf, x.shape[-1], weight=gain, bias=bias) * cotangent).sum().backward()
            gradients |= {"weight": gain.grad, "bias": bias.grad}
        elif name == "softmax":
            (lab.fp32_softmax(leaf) * cotangent).sum().backward()
        else:
            lab.fp32_cross_entropy(leaf, target).backward()
        gradients[name] = leaf.grad
    return gradients
