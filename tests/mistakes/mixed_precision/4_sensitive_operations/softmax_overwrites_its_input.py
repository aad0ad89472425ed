"""the largest logit is subtracted in place, and for float32 `x.float()` is x itself."""


def fp32_softmax(x, dim=-1):
    logits = x.float()
    logits -= logits.amax(dim, keepdim=True).detach()
    weights = torch.exp(logits)
    return (weights / weights.sum(dim, keepdim=True)).to(x.dtype)
