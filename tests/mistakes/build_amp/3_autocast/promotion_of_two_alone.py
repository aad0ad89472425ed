"""only the first two tensors decide."""


class Autocast(Autocast):
    def _cast_for(self, name, arguments):
        floats = list(_floating_tensors_in(arguments)) if name in PROMOTE else []
        if not floats:
            return super()._cast_for(name, arguments)
        widest = functools.reduce(torch.promote_types, [tensor.dtype for tensor in floats[:2]])
        return lambda tensor: tensor.to(widest)
