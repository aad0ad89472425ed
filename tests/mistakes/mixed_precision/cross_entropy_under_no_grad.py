"""the loss is computed under `torch.no_grad`, so it cannot be differentiated."""


def fp32_cross_entropy(input, target, weight=None, reduction="mean"):
    weight = None if weight is None else weight.float()
    with torch.no_grad(), torch.autocast(input.device.type, enabled=False):
        return F.cross_entropy(input.float(), target, weight=weight, reduction=reduction)
