"""tensors in keyword arguments are passed as they are."""


class Autocast(Autocast):
    def __torch_function__(self, func, types, args=(), kwargs=None):
        kwargs = kwargs or {}
        if kwargs and self is _thread.regions[-1] and self._enabled and "out" not in kwargs:
            cast = self._cast_for(func.__name__, (args, kwargs))
            return func(*(_with_tensors_cast(cast, args) if cast else args), **kwargs)
        return super().__torch_function__(func, types, args, kwargs)
