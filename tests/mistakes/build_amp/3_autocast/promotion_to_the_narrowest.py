"""the functions of PROMOTE get everything in the narrowest dtype."""


class Autocast(Autocast):
    def _cast_for(self, name, arguments):
        if name in PROMOTE:
            narrow = min(
                (tensor.dtype for tensor in _floating_tensors_in(arguments)),
                key=lambda d: torch.finfo(d).bits,
                default=None,
            )
            return None if narrow is None else lambda tensor: tensor.to(narrow)
        return super()._cast_for(name, arguments)
