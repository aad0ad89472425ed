"""cross entropy is computed on half-precision logits and cast afterwards."""


def fp32_cross_entropy(input, target, weight=None, reduction="mean"):
    weight = None if weight is None else weight.to(input.dtype)
    with torch.autocast(input.device.type, enabled=False):
        return F.cross_entropy(input, target, weight=weight, reduction=reduction).float()
