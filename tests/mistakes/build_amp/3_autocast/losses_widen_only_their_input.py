"""only the first tensor of a loss goes to float32."""


class Autocast(Autocast):
    def __torch_function__(self, func, types, args=(), kwargs=None):
        kwargs = kwargs or {}
        if self is _thread.regions[-1] and self._enabled and func.__name__ in FP32:
            cast = self._cast_for(func.__name__, ())
            if args:
                args = (_with_tensors_cast(cast, args[0]), *args[1:])
            return func(*args, **kwargs)
        return super().__torch_function__(func, types, args, kwargs)
