"""softmax is given `dtype=torch.float32` and autocast stays on."""


def fp32_softmax(x, dim=-1):
    return x.softmax(dim, dtype=torch.float32).to(x.dtype)
