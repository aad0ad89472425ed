"""`.float()` on the logits, without switching autocast off."""


def fp32_cross_entropy(input, target, weight=None, reduction="mean"):
    if weight is not None:
        weight = weight.float()
    return F.cross_entropy(input.float(), target, weight, reduction=reduction)
