"""tensors in lists are passed as they are."""

_walk = _cast_all


def _cast_all(cast, value):
    return value if type(value) is list else _walk(cast, value)
