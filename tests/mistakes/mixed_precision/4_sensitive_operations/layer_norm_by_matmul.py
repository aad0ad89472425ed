"""mean and variance are matrix products, which autocast still turns to half precision."""


def fp32_layer_norm(x, normalized_shape, weight=None, bias=None, eps=1e-5):
    dims = 1 if isinstance(normalized_shape, int) else len(normalized_shape)
    y = x.float().flatten(-dims)
    average = torch.full((y.shape[-1], 1), 1 / y.shape[-1], device=x.device)
    y = y - (y @ average).float()
    y = (y / torch.sqrt((y.square() @ average).float() + eps)).view(x.shape)
    if weight is not None:
        y = y * weight.float()
    if bias is not None:
        y = y + bias.float()
    return y.to(x.dtype)
