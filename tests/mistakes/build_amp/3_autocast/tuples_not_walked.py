"""tensors in tuples, other than the arguments themselves, are passed as they are."""


class Autocast(Autocast):
    def __torch_function__(self, func, types, args=(), kwargs=None):
        args = tuple(list(arg) if type(arg) is list else arg for arg in args)
        return super().__torch_function__(func, types, args, kwargs)


def _with_tensors_cast(cast, value):
    if isinstance(value, Tensor):
        return cast(value) if value.is_floating_point() else value
    if isinstance(value, dict):
        return {key: _with_tensors_cast(cast, item) for key, item in value.items()}
    if type(value) is list:
        return [_with_tensors_cast(cast, item) for item in value]
    if type(value) is tuple:  # the arguments
        return tuple(_with_tensors_cast(cast, item) if isinstance(item, (Tensor, list)) else item for item in value)
    return value
