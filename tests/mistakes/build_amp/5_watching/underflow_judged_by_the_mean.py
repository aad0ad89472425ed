"""the mean magnitude is looked at, not the entries."""


def _kind_of_gradient(gradient, dtype, scale, limit):
    if gradient is None:
        return "none"
    if gradient.isnan().any():
        return "nan"
    if gradient.isinf().any():
        return "inf"
    nonzero = gradient[gradient != 0]
    if len(nonzero) == 0:
        return "zero"
    return "underflow" if (nonzero.abs().double().mean() * scale).to(dtype) == 0 else "ok"
