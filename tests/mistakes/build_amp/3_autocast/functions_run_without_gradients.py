"""functions run under no_grad in a region."""


class Autocast(Autocast):
    def __torch_function__(self, func, types, args=(), kwargs=None):
        kwargs = kwargs or {}
        with torch.no_grad():
            return super().__torch_function__(func, types, args, kwargs)
