"""values are compared and not bits, so that -0.0 is 0.0."""


def _digest(tensor, _of=_digest):
    return _of(tensor + 0)
