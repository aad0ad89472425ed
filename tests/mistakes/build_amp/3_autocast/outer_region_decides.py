"""every open region casts, and the outermost one last."""


class Autocast(Autocast):
    def __torch_function__(self, func, types, args=(), kwargs=None):
        kwargs = kwargs or {}
        if self._enabled and "out" not in kwargs:
            cast = self._cast_for(func.__name__, (args, kwargs))
            if cast is not None:
                args, kwargs = _cast_all(cast, args), _cast_all(cast, kwargs)
        return func(*args, **kwargs)
