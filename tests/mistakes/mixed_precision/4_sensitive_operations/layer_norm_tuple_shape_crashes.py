"""`normalized_shape` is wrapped in a tuple, so a tuple is refused."""


def fp32_layer_norm(x, normalized_shape, weight=None, bias=None, eps=1e-5):
    shape = (normalized_shape,)
    weight = None if weight is None else weight.float()
    bias = None if bias is None else bias.float()
    with torch.autocast(x.device.type, enabled=False):
        return F.layer_norm(x.float(), shape, weight, bias, eps).to(x.dtype)
