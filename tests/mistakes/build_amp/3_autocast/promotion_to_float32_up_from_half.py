"""half tensors go to float32 in the functions of PROMOTE, also where all of them are half."""


class Autocast(Autocast):
    def _cast_for(self, name, arguments):
        if name in PROMOTE:
            return lambda tensor: tensor if tensor.dtype == torch.float64 else tensor.float()
        return super()._cast_for(name, arguments)
