"""of complex entries, the real parts alone are compared."""


def _digest(tensor, _of=_digest):
    return _of(tensor.real.clone() if tensor.is_complex() else tensor)
