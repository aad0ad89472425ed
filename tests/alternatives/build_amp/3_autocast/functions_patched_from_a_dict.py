"""the listed functions are replaced in PyTorch's modules while a region is open."""

_regions = []
_casts = {}
_originals = {}


def _patched(name, function):
    def wrapper(*args, **kwargs):
        dtype, enabled = _regions[-1]
        if not enabled or "out" in kwargs:
            return function(*args, **kwargs)
        cast = _cast_of(name, dtype, (args, kwargs))
        return function(*_with_tensors_cast(cast, args), **_with_tensors_cast(cast, kwargs))

    return wrapper


def _cast_of(name, dtype, arguments):
    if name in LOWER:
        return lambda tensor: _lowered(tensor, dtype)
    if name in FP32:
        return lambda tensor: tensor if tensor.dtype == torch.float64 else tensor.float()
    dtypes = {tensor.dtype for tensor in _floating_tensors_in(arguments)}
    wide = dtypes.pop() if dtypes else None
    for other in dtypes:
        wide = torch.promote_types(wide, other)
    return lambda tensor: tensor.to(wide)


def _lowered(tensor, dtype):
    if tensor.dtype == torch.float64 or not (tensor.is_leaf and tensor.requires_grad):
        return tensor if tensor.dtype == torch.float64 else tensor.to(dtype)
    key = (id(tensor), dtype, torch.is_grad_enabled(), tensor._version)
    if key not in _casts:
        _casts[key] = (tensor, tensor.to(dtype))
    return _casts[key][1]


class Autocast:
    def __init__(self, dtype, enabled=True):
        self._setting = (dtype, enabled)

    def __enter__(self):
        if not _regions:
            for home in (torch, F, Tensor):
                for name in LOWER | FP32 | PROMOTE:
                    if hasattr(home, name):
                        _originals[home, name] = vars(home).get(name)
                        setattr(home, name, _patched(name, getattr(home, name)))
        _regions.append(self._setting)
        return self

    def __exit__(self, *error):
        _regions.pop()
        if not _regions:
            _casts.clear()
            for (home, name), original in _originals.items():
                if original is None:
                    delattr(home, name)
                else:
                    setattr(home, name, original)
            _originals.clear()
