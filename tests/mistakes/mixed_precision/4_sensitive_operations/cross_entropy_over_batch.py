"""the softmax is taken over the batch instead of over the classes."""


def fp32_cross_entropy(input, target, weight=None, reduction="mean"):
    weight = None if weight is None else weight.float()
    with torch.autocast(input.device.type, enabled=False):
        return F.nll_loss(F.log_softmax(input.float(), 0), target, weight=weight, reduction=reduction)
