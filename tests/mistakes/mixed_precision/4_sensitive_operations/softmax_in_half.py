"""the exponentials and their sum are computed in half precision and cast afterwards."""


def fp32_softmax(x, dim=-1):
    logits = x
    weights = torch.exp(logits - logits.amax(dim, keepdim=True))
    return (weights / weights.sum(dim, keepdim=True)).to(x.dtype)
