"""float32 class weights are rounded to the dtype of the logits before they are used."""


def fp32_cross_entropy(input, target, weight=None, reduction="mean"):
    weight = None if weight is None else weight.to(input.dtype).float()
    return F.cross_entropy(input.float(), target, weight=weight, reduction=reduction)
