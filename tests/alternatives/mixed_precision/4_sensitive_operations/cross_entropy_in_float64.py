"""cross entropy is computed in float64 and returned in float32."""


def fp32_cross_entropy(input, target, weight=None, reduction="mean"):
    weight = None if weight is None else weight.double()
    return F.cross_entropy(input.double(), target, weight=weight, reduction=reduction).float()
