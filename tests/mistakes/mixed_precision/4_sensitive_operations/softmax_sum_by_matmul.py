"""the sum is a matrix product, which autocast still turns to half precision."""


def fp32_softmax(x, dim=-1):
    logits = x.float().movedim(dim, -1)
    weights = torch.exp(logits - logits.amax(-1, keepdim=True))
    total = weights @ torch.ones(weights.shape[-1], 1, device=x.device)
    return (weights / total.float()).movedim(-1, dim).to(x.dtype)
