"""a half-precision gain is cut from the graph by its cast."""


def fp32_layer_norm(x, normalized_shape, weight=None, bias=None, eps=1e-5):
    shape = (normalized_shape,) if isinstance(normalized_shape, int) else tuple(normalized_shape)
    with torch.autocast(x.device.type, enabled=False):
        if weight is not None and weight.dtype != torch.float32:
            weight = weight.detach().float()
        bias = None if bias is None else bias.float()
        return F.layer_norm(x.float(), shape, weight, bias, eps).to(x.dtype)
