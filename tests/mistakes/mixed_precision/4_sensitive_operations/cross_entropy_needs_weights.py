"""the class weights are cast without asking whether they are None."""


def fp32_cross_entropy(input, target, weight=None, reduction="mean"):
    weight = weight.float()
    with torch.autocast(input.device.type, enabled=False):
        return F.cross_entropy(input.float(), target, weight=weight, reduction=reduction)
