"""with enabled=False the functions of PROMOTE promote all the same."""


class Autocast(Autocast):
    def __torch_function__(self, func, types, args=(), kwargs=None):
        kwargs = kwargs or {}
        if func.__name__ in PROMOTE and self is _thread.regions[-1] and not self._enabled:
            cast = self._cast_for(func.__name__, (args, kwargs)) or (lambda tensor: tensor)
            return func(*_with_tensors_cast(cast, args), **_with_tensors_cast(cast, kwargs))
        return super().__torch_function__(func, types, args, kwargs)
