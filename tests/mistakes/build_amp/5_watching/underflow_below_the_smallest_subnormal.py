"""what is below the smallest number of the dtype is lost; half of it rounds up."""


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
    lost = (nonzero * scale).abs() < torch.finfo(dtype).smallest_normal * torch.finfo(dtype).eps
    return "underflow" if lost.sum().item() > limit * len(nonzero) else "ok"
