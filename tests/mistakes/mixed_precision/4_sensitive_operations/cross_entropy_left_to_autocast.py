"""nothing is cast: outside an autocast region half-precision logits stay half precision."""


def fp32_cross_entropy(input, target, weight=None, reduction="mean"):
    return F.cross_entropy(input, target, weight=weight, reduction=reduction)
