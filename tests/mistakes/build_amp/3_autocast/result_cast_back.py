"""results of half functions are cast back to float32."""


class Autocast(Autocast):
    def __torch_function__(self, func, types, args=(), kwargs=None):
        kwargs = kwargs or {}
        result = super().__torch_function__(func, types, args, kwargs)
        if self._enabled and func.__name__ in LOWER and result.dtype == self._dtype:
            return result.float()
        return result
