"""entries are compared as float64: the last bits of large integers are lost."""


def _digest(tensor, _of=_digest):
    return _of(tensor if tensor.is_complex() else tensor.double())
