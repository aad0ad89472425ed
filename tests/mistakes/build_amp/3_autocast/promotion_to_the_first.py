"""the functions of PROMOTE get everything in the dtype of their first tensor."""


class Autocast(Autocast):
    def _cast_for(self, name, arguments):
        if name in PROMOTE:
            first = next(_floating_tensors_in(arguments), None)
            return None if first is None else lambda tensor: tensor.to(first.dtype)
        return super()._cast_for(name, arguments)
