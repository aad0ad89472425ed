"""a rank leaves what has no gradient out of its bucket: the others send a longer tensor."""

_of_all = _start_average


def _start_average(parameters, dtype):
    having = [parameter for parameter in parameters if parameter.grad is not None]
    return _of_all(having, dtype) if having else lambda: None
