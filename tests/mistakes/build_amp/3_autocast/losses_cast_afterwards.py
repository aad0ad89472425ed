"""a loss is computed in half, and its result is cast to float32."""


class Autocast(Autocast):
    def __torch_function__(self, func, types, args=(), kwargs=None):
        kwargs = kwargs or {}
        if func.__name__ in FP32:
            result = func(*args, **kwargs)
            return result.float() if self._enabled and result.dtype != torch.float64 else result
        return super().__torch_function__(func, types, args, kwargs)
