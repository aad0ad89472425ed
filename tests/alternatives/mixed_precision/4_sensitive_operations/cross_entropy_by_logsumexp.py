"""cross entropy is logsumexp less the target's logit."""


def fp32_cross_entropy(input, target, weight=None, reduction="mean"):
    logits = input.to(torch.float32)
    losses = logits.logsumexp(dim=1) - logits[torch.arange(len(target), device=target.device), target]
    total = len(target)
    if weight is not None:
        losses = losses * weight.float()[target]
        total = weight.float()[target].sum()
    if reduction == "none":
        return losses
    return losses.sum() if reduction == "sum" else losses.sum() / total
