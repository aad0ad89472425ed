"""float32 logits are rounded to float16 first."""


def fp32_cross_entropy(input, target, weight=None, reduction="mean"):
    weight = None if weight is None else weight.float()
    with torch.autocast(input.device.type, enabled=False):
        return F.cross_entropy(input.half().float(), target, weight=weight, reduction=reduction)
