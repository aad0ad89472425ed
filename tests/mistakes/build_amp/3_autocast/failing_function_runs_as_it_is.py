"""a function that fails on its casts is tried again on the tensors as they are."""


class Autocast(Autocast):
    def __torch_function__(self, func, types, args=(), kwargs=None):
        kwargs = kwargs or {}
        try:
            return super().__torch_function__(func, types, args, kwargs)
        except RuntimeError:
            self._enabled = False
            return func(*args, **kwargs)
