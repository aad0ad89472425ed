"""a float32 x goes to F.layer_norm as it is, with a gain of half precision."""


def fp32_layer_norm(x, normalized_shape, weight=None, bias=None, eps=1e-5):
    shape = (normalized_shape,) if isinstance(normalized_shape, int) else tuple(normalized_shape)
    if x.dtype == torch.float32:
        return F.layer_norm(x, shape, weight, bias, eps)
    with torch.autocast(x.device.type, enabled=False):
        weight = None if weight is None else weight.float()
        bias = None if bias is None else bias.float()
        return F.layer_norm(x.float(), shape, weight, bias, eps).to(x.dtype)
