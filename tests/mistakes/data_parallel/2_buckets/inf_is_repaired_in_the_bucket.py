"""inf and nan become numbers before they are sent: no rank sees the overflow."""

_unrepaired = _start_average


def _start_average(parameters, dtype):
    for parameter in parameters:
        if parameter.grad is not None:
            parameter.grad.nan_to_num_()
    return _unrepaired(parameters, dtype)
