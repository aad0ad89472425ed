"""a counter of open regions says when the casts are forgotten, and the setting is restored by each region."""


class _Now:
    dtype = None
    depth = 0
    casts = {}  # noqa: RUF012


class Autocast(TorchFunctionMode):
    def __init__(self, dtype, enabled=True):
        super().__init__()
        self._dtype = dtype if enabled else None

    def __enter__(self):
        self._before, _Now.dtype = _Now.dtype, self._dtype
        _Now.depth += 1
        return super().__enter__()

    def __exit__(self, *error):
        super().__exit__(*error)
        _Now.dtype = self._before
        _Now.depth -= 1
        if _Now.depth == 0:
            _Now.casts = {}

    def __torch_function__(self, func, types, args=(), kwargs=None):
        kwargs = kwargs or {}
        name, dtype = func.__name__, _Now.dtype
        if dtype is None or "out" in kwargs:
            return func(*args, **kwargs)
        if name in LOWER:
            args, kwargs = _with_tensors_cast(_lower, args), _with_tensors_cast(_lower, kwargs)
        elif name in FP32:
            args, kwargs = _with_tensors_cast(_raise, args), _with_tensors_cast(_raise, kwargs)
        elif name in PROMOTE:
            # torch.cat finds out what empty tensors of all the dtypes promote to
            empty = [tensor.new_empty(0) for tensor in _floating_tensors_in((args, kwargs))]
            if empty:
                wide = torch.cat(empty).dtype
                args, kwargs = (_with_tensors_cast(lambda tensor: tensor.to(wide), one) for one in (args, kwargs))
        return func(*args, **kwargs)


def _raise(tensor):
    return tensor.to(torch.promote_types(tensor.dtype, torch.float32))


def _lower(tensor):
    if tensor.dtype == torch.float64:
        return tensor
    if not tensor.is_leaf or not tensor.requires_grad:
        return tensor.type(_Now.dtype)
    found = [entry for entry in _Now.casts.get(id(tensor), []) if entry[1:4] == _tag(tensor)]
    if not found:
        found = [(tensor, *_tag(tensor), tensor.type(_Now.dtype))]
        _Now.casts.setdefault(id(tensor), []).extend(found)
    return found[0][4]


def _tag(tensor):
    return (tensor._version, _Now.dtype, torch.is_grad_enabled())
