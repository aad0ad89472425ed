"""`log(softmax(x) + 1e-8)` is taken, which bounds the loss at 18."""


def fp32_cross_entropy(input, target, weight=None, reduction="mean"):
    logits = input.float()
    loss = -torch.log(torch.softmax(logits, -1) + 1e-8).gather(-1, target[:, None]).squeeze(-1)
    weights = torch.ones_like(loss) if weight is None else weight.float()[target]
    loss = loss * weights
    if reduction == "none":
        return loss
    return loss.sum() / weights.sum() if reduction == "mean" else loss.sum()
