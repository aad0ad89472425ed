"""the mode turns its tensors into a subclass of Tensor, whose __torch_function__ casts."""

_Region = Autocast


class _Lowering(Tensor):
    @classmethod
    def __torch_function__(cls, func, types, args=(), kwargs=None):
        def plain(tensor):
            return tensor.region._lowered(tensor.plain) if isinstance(tensor, cls) else tensor

        with torch._C.DisableTorchFunctionSubclass():
            args, kwargs = _with_tensors_cast(plain, args), _with_tensors_cast(plain, kwargs or {})
        return func(*args, **kwargs)


class Autocast(_Region):
    def __torch_function__(self, func, types, args=(), kwargs=None):
        kwargs = kwargs or {}
        if func.__name__ not in LOWER or "out" in kwargs or not self._enabled or self is not _thread.regions[-1]:
            return super().__torch_function__(func, types, args, kwargs)

        def wrapped(tensor):
            one = tensor.detach().as_subclass(_Lowering)
            one.region, one.plain = self, tensor
            return one

        return func(*_with_tensors_cast(wrapped, args), **_with_tensors_cast(wrapped, kwargs))
