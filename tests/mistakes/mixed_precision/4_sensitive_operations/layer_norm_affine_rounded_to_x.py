"""gain is rounded to the dtype of x first."""


def fp32_layer_norm(x, normalized_shape, weight=None, bias=None, eps=1e-5):
    shape = (normalized_shape,) if isinstance(normalized_shape, int) else tuple(normalized_shape)
    with torch.autocast(x.device.type, enabled=False):
        y = F.layer_norm(x.float(), shape, None, None, eps)
        y = y if weight is None else y * weight.to(x.dtype).float()
        return (y if bias is None else y + bias.float()).to(x.dtype)
