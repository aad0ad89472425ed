"""entries below 1e-7 are lost, whatever the dtype."""


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
    lost = (nonzero * scale).abs() < 1e-7
    return "underflow" if lost.sum().item() > limit * len(nonzero) else "ok"
