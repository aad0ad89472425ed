"""a function that raises leaves the switch off that keeps regions from seeing their own casts."""


class Autocast(Autocast):
    _inside = False

    def __torch_function__(self, func, types, args=(), kwargs=None):
        kwargs = kwargs or {}
        if self._inside or func.__name__ not in LOWER:
            return func(*args, **kwargs) if self._inside else super().__torch_function__(func, types, args, kwargs)
        self._inside = True
        result = super().__torch_function__(func, types, args, kwargs)
        self._inside = False
        return result
