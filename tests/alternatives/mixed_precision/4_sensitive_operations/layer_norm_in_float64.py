"""layer normalization is computed in float64."""


def fp32_layer_norm(x, normalized_shape, weight=None, bias=None, eps=1e-5):
    shape = (normalized_shape,) if isinstance(normalized_shape, int) else normalized_shape
    weight = weight if weight is None else weight.double()
    bias = bias if bias is None else bias.double()
    return F.layer_norm(x.double(), shape, weight, bias, eps).to(x.dtype)
