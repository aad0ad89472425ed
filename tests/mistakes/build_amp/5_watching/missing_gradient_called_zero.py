"""no gradient is called zero."""


def _kind_of_gradient(gradient, dtype, scale, limit):
    if gradient is None:
        return "zero"
    if gradient.isnan().any():
        return "nan"
    if gradient.isinf().any():
        return "inf"
    nonzero = gradient[gradient != 0]
    if len(nonzero) == 0:
        return "zero"
    lost = (nonzero * scale).to(dtype) == 0
    return "underflow" if lost.sum().item() > limit * len(nonzero) else "ok"
