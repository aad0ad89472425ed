"""the result is cast to autocast's dtype instead of x's."""


def fp32_softmax(x, dim=-1):
    with torch.autocast(x.device.type, enabled=False):
        return F.softmax(x.float(), dim).to(torch.get_autocast_dtype(x.device.type))
