"""the arguments are walked by tree_map, and `out` is found there."""

from torch.utils._pytree import tree_leaves, tree_map


class Autocast(TorchFunctionMode):
    _open, _casts = [], {}

    def __init__(self, dtype, enabled=True):
        super().__init__()
        self.dtype = dtype if enabled else None

    def __enter__(self):
        self._open.append(self)
        return super().__enter__()

    def __exit__(self, *error):
        self._open.remove(self)
        if not self._open:
            self._casts.clear()
        return super().__exit__(*error)

    def __torch_function__(self, func, types, args=(), kwargs=None):
        kwargs, name = kwargs or {}, func.__name__
        if self._open[-1] is not self or self.dtype is None or kwargs.get("out") is not None:
            return func(*args, **kwargs)
        narrow = (torch.float16, torch.bfloat16, torch.float32)
        floats = [x for x in tree_leaves((args, kwargs)) if isinstance(x, Tensor) and x.is_floating_point()]
        if name in LOWER:
            target = self.dtype
        elif name in FP32:
            target = torch.float32
        elif name in PROMOTE:
            target, narrow = torch.float16 if floats else None, (*narrow, torch.float64)
            for number, tensor in enumerate(floats):
                target = torch.promote_types(target, tensor.dtype) if number else tensor.dtype
        else:
            return func(*args, **kwargs)

        def cast(x):
            if not isinstance(x, Tensor) or x.dtype not in narrow or x.dtype == target:
                return x
            if name not in LOWER or x.grad_fn is not None or not x.requires_grad:
                return x.to(target)
            casts = self._casts.setdefault((id(x), x._version, target), [x, {}])[1]
            mode = torch.is_grad_enabled()
            if mode not in casts:
                casts[mode] = x.to(target)
            return casts[mode]

        args, kwargs = tree_map(cast, (args, kwargs))
        return func(*args, **kwargs)
