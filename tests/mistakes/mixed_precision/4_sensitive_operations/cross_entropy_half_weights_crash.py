"""half-precision class weights are passed on as they are, which float32 logits do not take."""


def fp32_cross_entropy(input, target, weight=None, reduction="mean"):
    with torch.autocast(input.device.type, enabled=False):
        return F.cross_entropy(input.float(), target, weight=weight, reduction=reduction)
