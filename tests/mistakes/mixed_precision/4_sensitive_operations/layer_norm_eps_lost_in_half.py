"""the variance is rounded to half precision before eps is added, where an eps of 1e-8 is 0."""


def fp32_layer_norm(x, normalized_shape, weight=None, bias=None, eps=1e-5):
    dims = (-1,) if isinstance(normalized_shape, int) else tuple(range(-len(normalized_shape), 0))
    y = x.float()
    mean = y.mean(dims, keepdim=True)
    variance = (y - mean).square().mean(dims, keepdim=True)
    y = (y - mean) / torch.sqrt(variance.to(x.dtype) + torch.tensor(eps, dtype=x.dtype)).float()
    if weight is not None:
        y = y * weight.float()
    if bias is not None:
        y = y + bias.float()
    return y.to(x.dtype)
