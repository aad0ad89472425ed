"""mean and variance are taken over the whole tensor, the batch too."""


def fp32_layer_norm(x, normalized_shape, weight=None, bias=None, eps=1e-5):
    dims = tuple(range(x.dim()))
    y = x.float()
    mean = y.mean(dims, keepdim=True)
    variance = (y - mean).square().mean(dims, keepdim=True)
    y = (y - mean) / torch.sqrt(variance + eps)
    if weight is not None:
        y = y * weight.float()
    if bias is not None:
        y = y + bias.float()
    return y.to(x.dtype)
