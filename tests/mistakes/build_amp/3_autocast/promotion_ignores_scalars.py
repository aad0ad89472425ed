"""tensors without dimensions do not count beside others."""


class Autocast(Autocast):
    def _cast_for(self, name, arguments):
        floats = list(_floating_tensors_in(arguments)) if name in PROMOTE else []
        if not floats:
            return super()._cast_for(name, arguments)
        widest = functools.reduce(
            torch.promote_types, [t.dtype for t in floats if t.dim()] or [t.dtype for t in floats]
        )
        return lambda tensor: tensor.to(widest)
