"""bfloat16 tensors stay bfloat16 in a loss."""


class Autocast(Autocast):
    def _cast_for(self, name, arguments):
        if name in FP32:
            return lambda tensor: tensor.float() if tensor.dtype == torch.float16 else tensor
        return super()._cast_for(name, arguments)
