"""the logits are clamped to +-100 before the loss is taken."""


def fp32_cross_entropy(input, target, weight=None, reduction="mean"):
    weight = None if weight is None else weight.float()
    with torch.autocast(input.device.type, enabled=False):
        return F.cross_entropy(input.float().clamp(-100.0, 100.0), target, weight=weight, reduction=reduction)
