"""the class weights are forgotten for the reduction "none"."""


def fp32_cross_entropy(input, target, weight=None, reduction="mean"):
    weight = None if weight is None or reduction == "none" else weight.float()
    with torch.autocast(input.device.type, enabled=False):
        return F.cross_entropy(input.float(), target, weight=weight, reduction=reduction)
