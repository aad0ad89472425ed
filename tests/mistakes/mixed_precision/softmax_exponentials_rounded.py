"""the exponentials are rounded to half precision before they are summed."""


def fp32_softmax(x, dim=-1):
    logits = x.float()
    weights = torch.exp(logits - logits.amax(dim, keepdim=True)).to(x.dtype).float()
    return (weights / weights.sum(dim, keepdim=True)).to(x.dtype)
