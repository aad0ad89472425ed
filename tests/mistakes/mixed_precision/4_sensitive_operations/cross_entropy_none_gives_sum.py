"""every reduction but "mean" gives the sum."""


def fp32_cross_entropy(input, target, weight=None, reduction="mean"):
    logits = input.float()
    loss = torch.logsumexp(logits, -1) - logits.gather(-1, target[:, None]).squeeze(-1)
    weights = torch.ones_like(loss) if weight is None else weight.float()[target]
    loss = loss * weights
    return loss.sum() / weights.sum() if reduction == "mean" else loss.sum()
