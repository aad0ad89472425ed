"""the default of `dim` is 0 instead of -1."""


def fp32_softmax(x, dim=0):
    with torch.autocast(x.device.type, enabled=False):
        return F.softmax(x.float(), dim).to(x.dtype)
