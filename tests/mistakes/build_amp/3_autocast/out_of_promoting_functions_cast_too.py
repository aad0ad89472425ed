"""a call with out= runs as it is, but not one of a promoting function."""


class Autocast(Autocast):
    def __torch_function__(self, func, types, args=(), kwargs=None):
        kwargs = kwargs or {}
        if func.__name__ in PROMOTE and "out" in kwargs and self is _thread.regions[-1] and self._enabled:
            cast = self._cast_for(func.__name__, (args, kwargs))
            return func(*_with_tensors_cast(cast, args), **_with_tensors_cast(cast, kwargs))
        return super().__torch_function__(func, types, args, kwargs)
