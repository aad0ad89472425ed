"""the class weights multiply the logits instead of the losses."""


def fp32_cross_entropy(input, target, weight=None, reduction="mean"):
    weight = None if weight is None else weight.float()
    logits = input.float() if weight is None else input.float() * weight
    with torch.autocast(input.device.type, enabled=False):
        return F.cross_entropy(logits, target, reduction=reduction)
