"""the mean is divided by 1 at least, though class weights may sum to less."""


def fp32_cross_entropy(input, target, weight=None, reduction="mean"):
    with torch.autocast(input.device.type, enabled=False):
        if reduction != "mean" or weight is None:
            weight = None if weight is None else weight.float()
            return F.cross_entropy(input.float(), target, weight=weight, reduction=reduction)
        losses = F.cross_entropy(input.float(), target, weight=weight.float(), reduction="none")
        return losses.sum() / weight.float()[target].sum().clamp(min=1.0)
