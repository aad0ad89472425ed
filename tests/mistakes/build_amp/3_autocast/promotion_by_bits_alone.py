"""float16 beside bfloat16 is taken for as wide, and one of the two gets the other."""


class Autocast(Autocast):
    def _cast_for(self, name, arguments):
        if name in PROMOTE:
            wide = max(
                (tensor.dtype for tensor in _floating_tensors_in(arguments)),
                key=lambda d: torch.finfo(d).bits,
                default=None,
            )
            return None if wide is None else lambda tensor: tensor.to(wide)
        return super()._cast_for(name, arguments)
