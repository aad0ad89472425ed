"""integers and bools are cast like floating point tensors."""


def _cast_all(cast, value):
    if isinstance(value, Tensor):
        return cast(value)
    if isinstance(value, dict):
        return {key: _cast_all(cast, item) for key, item in value.items()}
    if type(value) in (list, tuple):
        return type(value)(_cast_all(cast, item) for item in value)
    return value
