"""the exponentials are float32, but their sum is half precision, where 65504 is the limit."""


def fp32_softmax(x, dim=-1):
    logits = x.float()
    weights = torch.exp(logits - logits.amax(dim, keepdim=True))
    return (weights / weights.sum(dim, keepdim=True, dtype=x.dtype)).to(x.dtype)
