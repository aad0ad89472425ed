"""the dtype is that of the sum of all tensors' first entries: tensors without dimensions count less."""


class Autocast(Autocast):
    def _cast_for(self, name, arguments):
        floats = list(_floating_tensors_in(arguments)) if name in PROMOTE else []
        if not floats:
            return super()._cast_for(name, arguments)
        total = sum(
            tensor.flatten()[:1].sum() if tensor.dim() == 0 else tensor.flatten()[:1].sum()[None] for tensor in floats
        )
        widest = total.dtype
        return lambda tensor: tensor.to(widest)
