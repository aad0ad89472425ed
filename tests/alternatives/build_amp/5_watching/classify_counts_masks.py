"""masks are counted over the whole gradient."""


def _kind_of_gradient(gradient, dtype, scale, limit):
    if gradient is None:
        return "none"
    if gradient.isnan().any():
        return "nan"
    if gradient.isinf().any():
        return "inf"
    count = int(gradient.count_nonzero())
    if not count:
        return "zero"
    kept = int(torch.mul(gradient, scale).to(dtype).count_nonzero())
    return "underflow" if 1 - kept / count > limit else "ok"
