"""the weighted mean is divided by the number of samples instead of by the sum of their weights."""


def fp32_cross_entropy(input, target, weight=None, reduction="mean"):
    logits = input.float()
    loss = torch.logsumexp(logits, -1) - logits.gather(-1, target[:, None]).squeeze(-1)
    weights = torch.ones_like(loss) if weight is None else weight.float()[target]
    loss = loss * weights
    if reduction == "none":
        return loss
    return loss.mean() if reduction == "mean" else loss.sum()
