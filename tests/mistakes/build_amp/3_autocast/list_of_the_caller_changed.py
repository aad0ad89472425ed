"""the casts are put into the list of the caller."""


def _with_tensors_cast(cast, value):
    if isinstance(value, Tensor) and value.is_floating_point():
        return cast(value)
    if isinstance(value, dict):
        return {key: _with_tensors_cast(cast, item) for key, item in value.items()}
    if type(value) is list:
        value[:] = [_with_tensors_cast(cast, item) for item in value]
    if type(value) is tuple:
        return tuple(_with_tensors_cast(cast, item) for item in value)
    return value
