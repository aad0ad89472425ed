"""a half-precision x is cut from the graph by its cast."""


def fp32_softmax(x, dim=-1):
    wide = x if x.dtype == torch.float32 else x.data.float().requires_grad_(x.requires_grad)
    with torch.autocast(x.device.type, enabled=False):
        return F.softmax(wide, dim=dim, dtype=torch.float32).to(x.dtype)
