"""layer normalization is written out in float32."""


def fp32_layer_norm(x, normalized_shape, weight=None, bias=None, eps=1e-5):
    size = 1 if isinstance(normalized_shape, int) else len(normalized_shape)
    dims = list(range(-size, 0))
    centered = x.float() - x.float().mean(dims, keepdim=True)
    y = centered * torch.rsqrt(centered.pow(2).mean(dims, keepdim=True) + eps)
    y = y if weight is None else y * weight
    y = y if bias is None else y + bias
    return y.to(x.dtype)
