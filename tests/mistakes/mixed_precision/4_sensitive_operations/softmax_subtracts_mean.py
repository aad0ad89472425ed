"""the mean logit is subtracted instead of the largest, so one large logit still gives inf."""


def fp32_softmax(x, dim=-1):
    logits = x.float()
    weights = torch.exp(logits - logits.mean(dim, keepdim=True))
    return (weights / weights.sum(dim, keepdim=True)).to(x.dtype)
