"""softmax is computed in float64."""


def fp32_softmax(x, dim=-1):
    return F.softmax(x, dim, dtype=torch.float64).to(x.dtype)
