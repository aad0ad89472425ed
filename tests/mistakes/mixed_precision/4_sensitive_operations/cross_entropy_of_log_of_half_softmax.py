"""the logarithm is taken of a softmax that was rounded to half precision."""


def fp32_cross_entropy(input, target, weight=None, reduction="mean"):
    loss = -torch.log(fp32_softmax(input).float()).gather(-1, target[:, None]).squeeze(-1)
    weights = torch.ones_like(loss) if weight is None else weight.float()[target]
    loss = loss * weights
    if reduction == "none":
        return loss
    return loss.sum() / weights.sum() if reduction == "mean" else loss.sum()
