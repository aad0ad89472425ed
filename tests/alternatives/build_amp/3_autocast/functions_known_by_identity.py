"""functions are looked up in a dict by themselves, not by their names."""

_HOMES = (torch, F, Tensor)
_KINDS = {getattr(home, name): name for name in LOWER | FP32 | PROMOTE for home in _HOMES if hasattr(home, name)}


class Autocast(Autocast):
    def __torch_function__(self, func, types, args=(), kwargs=None):
        kwargs = kwargs or {}
        name = _KINDS.get(func)
        if name and self._enabled and self is _thread.regions[-1] and "out" not in kwargs:
            cast = self._cast_for(name, (args, kwargs)) or (lambda tensor: tensor)
            args, kwargs = _with_tensors_cast(cast, args), _with_tensors_cast(cast, kwargs)
        return func(*args, **kwargs)
