"""the loss is returned as a number, so there is nothing to call backward on."""


def fp32_cross_entropy(input, target, weight=None, reduction="mean"):
    weight = None if weight is None else weight.float()
    with torch.autocast(input.device.type, enabled=False):
        return F.cross_entropy(input.float(), target, weight=weight, reduction=reduction).tolist()
