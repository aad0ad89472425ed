"""a call with out= is cast like any other, and writes into a copy."""


class Autocast(Autocast):
    def __torch_function__(self, func, types, args=(), kwargs=None):
        kwargs = kwargs or {}
        if self is _thread.regions[-1] and self._enabled:
            cast = self._cast_for(func.__name__, (args, kwargs))
            if cast is not None:
                args, kwargs = _with_tensors_cast(cast, args), _with_tensors_cast(cast, kwargs)
        return func(*args, **kwargs)
