"""every open region casts, and the outermost one last."""


class Autocast(Autocast):
    def __torch_function__(self, func, types, args=(), kwargs=None):
        kwargs = kwargs or {}
        if self._enabled and "out" not in kwargs:
            cast = self._cast_for(func.__name__, (args, kwargs))
            if cast is not None:
                args, kwargs = _with_tensors_cast(cast, args), _with_tensors_cast(cast, kwargs)
        return func(*args, **kwargs)
