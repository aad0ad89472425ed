"""the casts are put into the list of the caller."""


def _cast_all(cast, value):
    if isinstance(value, Tensor) and value.is_floating_point():
        return cast(value)
    if isinstance(value, dict):
        return {key: _cast_all(cast, item) for key, item in value.items()}
    if type(value) is list:
        value[:] = [_cast_all(cast, item) for item in value]
    if type(value) is tuple:
        return tuple(_cast_all(cast, item) for item in value)
    return value
