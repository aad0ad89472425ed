"""softmax is exp(y - logsumexp(y)) in float32, for y = x less its largest entry."""


def fp32_softmax(x, dim=-1):
    logits = x.float()
    logits = logits - logits.amax(dim, keepdim=True)
    return torch.exp(logits - torch.logsumexp(logits, dim=dim, keepdim=True)).to(x.dtype)
