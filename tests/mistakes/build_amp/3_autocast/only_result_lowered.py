"""a function computes in float32, and only its result is cast."""


class Autocast(Autocast):
    def __torch_function__(self, func, types, args=(), kwargs=None):
        kwargs = kwargs or {}
        if self is _thread.regions[-1] and self._enabled and func.__name__ in LOWER and "out" not in kwargs:
            wide = [
                _with_tensors_cast(lambda t: t if t.dtype == torch.float64 else t.float(), one)
                for one in (args, kwargs)
            ]
            result = func(*wide[0], **wide[1])
            return result if result.dtype == torch.float64 else result.to(self._dtype)
        return super().__torch_function__(func, types, args, kwargs)
