"""tensors without entries do not count."""


class Autocast(Autocast):
    def _cast_for(self, name, arguments):
        floats = list(_floating_tensors_in(arguments)) if name in PROMOTE else []
        if not floats:
            return super()._cast_for(name, arguments)
        widest = functools.reduce(torch.promote_types, [t.dtype for t in floats if t.numel()] or [floats[0].dtype])
        return lambda tensor: tensor.to(widest)
