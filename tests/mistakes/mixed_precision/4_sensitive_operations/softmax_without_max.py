"""the largest logit is not subtracted, so logits of 200 give inf / inf."""


def fp32_softmax(x, dim=-1):
    logits = x.float()
    weights = torch.exp(logits)
    return (weights / weights.sum(dim, keepdim=True)).to(x.dtype)
