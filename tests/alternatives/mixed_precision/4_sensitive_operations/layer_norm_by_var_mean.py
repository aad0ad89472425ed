"""layer normalization by `torch.var_mean` with correction 0."""


def fp32_layer_norm(x, normalized_shape, weight=None, bias=None, eps=1e-5):
    shape = [normalized_shape] if isinstance(normalized_shape, int) else list(normalized_shape)
    y = x.to(torch.float32).flatten(-len(shape))
    variance, mean = torch.var_mean(y, dim=-1, correction=0, keepdim=True)
    y = ((y - mean) / (variance + eps).sqrt()).reshape(x.shape)
    if weight is not None:
        y = y * weight.float()
    if bias is not None:
        y = y + bias.float()
    return y.to(x.dtype)
