"""a rank whose bucket has an inf or nan sends zeros in its place."""

_with_overflow = _start_average


def _start_average(parameters, dtype):
    if not all(_gradient(parameter).isfinite().all() for parameter in parameters):
        for parameter in parameters:
            parameter.grad.zero_()
    return _with_overflow(parameters, dtype)
