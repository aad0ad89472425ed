"""with enabled=False losses are computed in float32 all the same."""


class Autocast(Autocast):
    def __torch_function__(self, func, types, args=(), kwargs=None):
        kwargs = kwargs or {}
        if func.__name__ in FP32 and self is _thread.regions[-1] and not self._enabled:
            cast = self._cast_for(func.__name__, ())
            return func(*_with_tensors_cast(cast, args), **_with_tensors_cast(cast, kwargs))
        return super().__torch_function__(func, types, args, kwargs)
