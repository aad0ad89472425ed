"""a function whose tensors are all float32 runs in float32."""


class Autocast(Autocast):
    def _cast_for(self, name, arguments):
        if name in LOWER and len({tensor.dtype for tensor in _floating_tensors_in(arguments)}) == 1:
            return None
        return super()._cast_for(name, arguments)
