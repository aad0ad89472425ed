"""only float16 is lifted to float32; bfloat16 is computed as it is."""


def fp32_softmax(x, dim=-1):
    logits = x.float() if x.dtype == torch.float16 else x
    weights = torch.exp(logits - logits.amax(dim, keepdim=True))
    return (weights / weights.sum(dim, keepdim=True)).to(x.dtype)
