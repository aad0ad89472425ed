"""only functions of torch.nn.functional and methods are cast."""


class Autocast(Autocast):
    def __torch_function__(self, func, types, args=(), kwargs=None):
        kwargs = kwargs or {}
        if getattr(torch, func.__name__, None) is func and not hasattr(F, func.__name__):
            return func(*args, **kwargs)
        return super().__torch_function__(func, types, args, kwargs)
