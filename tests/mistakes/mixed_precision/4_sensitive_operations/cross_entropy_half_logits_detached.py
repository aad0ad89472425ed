"""half-precision logits are cut from the graph by their cast."""


def fp32_cross_entropy(input, target, weight=None, reduction="mean"):
    logits = input if input.dtype == torch.float32 else input.data.float().requires_grad_(input.requires_grad)
    with torch.autocast(input.device.type, enabled=False):
        weight = None if weight is None else weight.float()
        return F.cross_entropy(logits, target, weight=weight, reduction=reduction)
