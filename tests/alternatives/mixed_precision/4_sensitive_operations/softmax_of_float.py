"""`.float()` before and `.to` after, without switching autocast off."""


def fp32_softmax(x, dim=-1):
    return torch.softmax(x.float(), dim=dim).to(x.dtype)
