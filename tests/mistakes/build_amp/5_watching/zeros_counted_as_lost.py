"""entries that are zero count as lost."""


def _kind_of_gradient(gradient, dtype, scale, limit):
    if gradient is None:
        return "none"
    if gradient.isnan().any():
        return "nan"
    if gradient.isinf().any():
        return "inf"
    nonzero = gradient.flatten()
    if not nonzero.any():
        return "zero"
    lost = (nonzero * scale).to(dtype) == 0
    return "underflow" if lost.sum().item() > limit * len(nonzero) else "ok"
