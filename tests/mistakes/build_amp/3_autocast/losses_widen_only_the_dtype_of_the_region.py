"""only tensors of the dtype of the region go to float32, those of the other half format stay."""


class Autocast(Autocast):
    def _cast_for(self, name, arguments):
        if name in FP32:
            return lambda tensor: tensor.float() if tensor.dtype == self._dtype else tensor
        return super()._cast_for(name, arguments)
