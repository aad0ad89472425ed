"""`dim` is ignored: the last dimension is always taken."""


def fp32_softmax(x, dim=-1):
    with torch.autocast(x.device.type, enabled=False):
        return F.softmax(x.float(), -1).to(x.dtype)
