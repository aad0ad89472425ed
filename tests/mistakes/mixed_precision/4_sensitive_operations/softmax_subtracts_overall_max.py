"""the largest logit of the whole tensor is subtracted, so rows far below it give 0 / 0."""


def fp32_softmax(x, dim=-1):
    logits = x.float()
    weights = torch.exp(logits - logits.max())
    return (weights / weights.sum(dim, keepdim=True)).to(x.dtype)
