"""the normalization runs under `torch.no_grad`, so no gradient flows."""


def fp32_layer_norm(x, normalized_shape, weight=None, bias=None, eps=1e-5):
    shape = (normalized_shape,) if isinstance(normalized_shape, int) else tuple(normalized_shape)
    weight = None if weight is None else weight.float()
    bias = None if bias is None else bias.float()
    with torch.no_grad(), torch.autocast(x.device.type, enabled=False):
        return F.layer_norm(x.float(), shape, weight, bias, eps).to(x.dtype)
