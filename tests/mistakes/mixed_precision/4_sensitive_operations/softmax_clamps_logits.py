"""the logits are clamped to +-50 so that the exponential cannot overflow."""


def fp32_softmax(x, dim=-1):
    logits = x.float().clamp(-50.0, 50.0)
    weights = torch.exp(logits)
    return (weights / weights.sum(dim, keepdim=True)).to(x.dtype)
