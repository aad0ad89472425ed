"""without a dtype, gradients are sent as bfloat16."""

_as_said = _start_average


def _start_average(parameters, dtype):
    return _as_said(parameters, dtype or torch.bfloat16)
