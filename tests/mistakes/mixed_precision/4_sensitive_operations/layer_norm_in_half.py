"""mean and variance are computed in half precision and cast afterwards."""


def fp32_layer_norm(x, normalized_shape, weight=None, bias=None, eps=1e-5):
    dims = (-1,) if isinstance(normalized_shape, int) else tuple(range(-len(normalized_shape), 0))
    y = x
    mean = y.mean(dims, keepdim=True)
    variance = (y - mean).square().mean(dims, keepdim=True)
    y = (y - mean) / torch.sqrt(variance + eps)
    if weight is not None:
        y = y * weight.float()
    if bias is not None:
        y = y + bias.float()
    return y.to(x.dtype)
