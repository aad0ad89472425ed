"""`input.data` is used, so no gradient flows."""


def fp32_cross_entropy(input, target, weight=None, reduction="mean"):
    weight = None if weight is None else weight.float()
    with torch.autocast(input.device.type, enabled=False):
        return F.cross_entropy(input.data.float(), target, weight=weight, reduction=reduction)
