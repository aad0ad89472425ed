"""the functions of PROMOTE fail on integers alone."""


class Autocast(Autocast):
    def _cast_for(self, name, arguments):
        if name in PROMOTE:
            dtypes = [tensor.dtype for tensor in _floating_tensors_in(arguments)]
            widest = functools.reduce(torch.promote_types, dtypes)
            return lambda tensor: tensor.to(widest)
        return super()._cast_for(name, arguments)
