"""integers and bools are cast like floating point tensors."""


def _with_tensors_cast(cast, value):
    if isinstance(value, Tensor):
        return cast(value)
    if isinstance(value, dict):
        return {key: _with_tensors_cast(cast, item) for key, item in value.items()}
    if type(value) in (list, tuple):
        return type(value)(_with_tensors_cast(cast, item) for item in value)
    return value
