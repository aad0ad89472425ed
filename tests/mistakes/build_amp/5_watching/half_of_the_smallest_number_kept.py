"""half of the smallest float16 number is taken for one that is kept; it rounds to even, to zero."""


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
    lost = (nonzero * scale).abs() < torch.finfo(dtype).smallest_normal * torch.finfo(dtype).eps / 2
    return "underflow" if lost.sum().item() > limit * len(nonzero) else "ok"
