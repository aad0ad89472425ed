"""softmax comes back in float32 instead of x's dtype."""


def fp32_softmax(x, dim=-1):
    with torch.autocast(x.device.type, enabled=False):
        return F.softmax(x.float(), dim)
