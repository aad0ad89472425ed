"""the logits go through a softmax before cross entropy, which takes one itself."""


def fp32_cross_entropy(input, target, weight=None, reduction="mean"):
    weight = None if weight is None else weight.float()
    with torch.autocast(input.device.type, enabled=False):
        return F.cross_entropy(input.float().softmax(-1), target, weight=weight, reduction=reduction)
