"""only functions of torch and torch.nn.functional are cast, methods and `@` are not."""


class Autocast(Autocast):
    def __torch_function__(self, func, types, args=(), kwargs=None):
        kwargs = kwargs or {}
        if getattr(Tensor, func.__name__, None) is func:
            return func(*args, **kwargs)
        return super().__torch_function__(func, types, args, kwargs)
