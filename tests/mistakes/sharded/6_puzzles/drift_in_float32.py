"""entries are compared as float32: the last bits of float64 and large integers are lost."""


def _digest(tensor, _of=_digest):
    return _of(tensor.float())
