"""tensors are cast by a TorchDispatchMode, which is below autograd: backward gets tensors of two dtypes."""

from torch.utils._python_dispatch import TorchDispatchMode


class Autocast(TorchDispatchMode):
    def __init__(self, dtype, enabled=True):
        super().__init__()
        self._dtype = dtype
        self._enabled = enabled

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        name = func.__name__.partition(".")[0]
        if self._enabled and name in LOWER:
            args = _with_tensors_cast(
                lambda tensor: tensor if tensor.dtype == torch.float64 else tensor.to(self._dtype), args
            )
        return func(*args, **(kwargs or {}))
