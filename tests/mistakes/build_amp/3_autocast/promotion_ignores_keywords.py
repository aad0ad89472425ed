"""the dtype to promote to is looked for in the positional arguments alone."""


class Autocast(Autocast):
    def __torch_function__(self, func, types, args=(), kwargs=None):
        kwargs = kwargs or {}
        if func.__name__ in PROMOTE and self is _thread.regions[-1] and self._enabled and "out" not in kwargs:
            cast = self._cast_for(func.__name__, args)
            if cast is not None:
                args, kwargs = _with_tensors_cast(cast, args), _with_tensors_cast(cast, kwargs)
            return func(*args, **kwargs)
        return super().__torch_function__(func, types, args, kwargs)
