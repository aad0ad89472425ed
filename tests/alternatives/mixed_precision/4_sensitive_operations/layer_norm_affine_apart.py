"""F.layer_norm normalizes, weight and bias are applied afterwards in float32."""


def fp32_layer_norm(x, normalized_shape, weight=None, bias=None, eps=1e-5):
    shape = torch.Size([normalized_shape]) if isinstance(normalized_shape, int) else normalized_shape
    y = F.layer_norm(x.float(), shape, eps=eps)
    if weight is not None:
        y = y * weight.float()
    if bias is not None:
        y = y + bias.float()
    return y.type(x.dtype)
