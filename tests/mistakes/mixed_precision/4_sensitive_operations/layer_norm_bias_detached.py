"""layer norm's bias is detached, so it is never learnt."""


def fp32_layer_norm(x, normalized_shape, weight=None, bias=None, eps=1e-5):
    shape = (normalized_shape,) if isinstance(normalized_shape, int) else tuple(normalized_shape)
    weight = None if weight is None else weight.float()
    bias = None if bias is None else bias.detach().float()
    return F.layer_norm(x.float(), shape, weight, bias, eps).to(x.dtype)
